"""Where operator overrides, marks and last-good decisions are kept.

Belongs here: state stores. Does not belong here: what the documents mean.
"""
