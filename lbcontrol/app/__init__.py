"""The composition root: configuration, CLI, server start and stop, demo.

Belongs here: what wires the parts together. Nothing imports this package.
"""
