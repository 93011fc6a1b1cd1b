"""Pure steps of the assignment pipeline: ``step(state, inputs, now, rng) -> (state, output)``.

Belongs here: arithmetic on endpoints, one file a step. Does not belong here: state kept between calls, I/O, clocks.
"""
