"""Fuzzing of ``lbcontrol.http2``: F1 to F4 of issue #4; README.md says how to run it and what it has found."""
