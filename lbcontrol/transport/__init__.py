"""Bindings of stream handlers to gRPC servers: sockets, TLS, limits, the gRPC call layer.

Belongs here: what moves bytes. Does not belong here: knowledge of any front end or protocol message.
"""

TRANSPORTS = {
    "http2": "lbcontrol.transport.http2.server:serve",
    "grpcio": "lbcontrol.transport.grpcio:serve",
}
"""Name of a transport in the server's configuration, and the function that serves methods with it."""
