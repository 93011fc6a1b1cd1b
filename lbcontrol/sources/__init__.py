"""Watchers of registries: each turns one registry into snapshots.

Belongs here: files, Kubernetes, Consul, DNS, self-registration.
Does not belong here: decisions, protocol messages of clients.
"""
