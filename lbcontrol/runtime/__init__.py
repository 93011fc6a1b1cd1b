"""The machines between the pure core and the adapters: ports, hub, publisher, clock, metrics.

Belongs here: the one task that owns the state, the ports (Protocols) adapters implement, shared bytes.
Does not belong here: wire types, sockets, knowledge of any one protocol or registry.
"""
