"""Frozen values that every part shares: endpoints, snapshots, policies, assignments, renderings.

Belongs here: values, identifiers, the exception tree, pure conversions of them.
Does not belong here: decisions (policies, engine), wire types (front ends), I/O, clocks, logging.
"""
