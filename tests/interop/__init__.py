"""Unmodified clients against the running product."""
