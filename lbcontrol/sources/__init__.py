"""Watchers of registries: each turns one registry into snapshots.

Belongs here: files, Kubernetes, Consul, DNS, self-registration.
Does not belong here: decisions, protocol messages of clients.
"""

SOURCES = {
    "file": "lbcontrol.sources.file:SPEC",
    "kubernetes": "lbcontrol.sources.kubernetes.spec:SPEC",
    "registry": "lbcontrol.sources.registry:SPEC",
}
"""Type of a source in the server's configuration, and the module and object that build it."""
