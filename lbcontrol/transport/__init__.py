"""Bindings of stream handlers to gRPC servers: sockets, TLS, limits, the gRPC call layer.

Belongs here: what moves bytes. Does not belong here: knowledge of any front end or protocol message.
"""
