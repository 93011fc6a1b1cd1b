"""Events in, decisions out: the pure heart of the control plane.

Belongs here: the state of all services, cohorts, explanations, and ``compile/`` (assignment x capabilities).
Does not belong here: I/O, clocks, logging, asyncio, randomness, wire types.
"""
