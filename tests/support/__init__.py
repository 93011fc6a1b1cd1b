"""Helpers shared by the tests: processes, backends, clients and statistics."""
