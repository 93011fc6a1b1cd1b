"""The verbs: each function takes its options and returns an exit code.

Belongs here: what one verb asks, prints and returns. Imports are free here: a module is loaded when its verb runs.
Does not belong here: flags (``options``), calls (``calls``), tables (``screen``).
"""
