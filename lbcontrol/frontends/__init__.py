"""Protocols that clients and operators speak: each turns decisions into messages and messages into events.

Belongs here: xDS, the native API, admin, health, reflection; all wire types. Does not belong here: sockets, tasks, registries.
"""
