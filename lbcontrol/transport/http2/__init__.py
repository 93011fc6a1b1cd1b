"""Serves methods on our own HTTP/2: asyncio moves the bytes, ``lbcontrol.http2`` knows the protocol.

Belongs here: sockets, accepting, deadlines of connections, the gRPC call layer over ``http2.Connection``.
Does not belong here: frames and flow control (``lbcontrol.http2``), front ends, messages.
"""
