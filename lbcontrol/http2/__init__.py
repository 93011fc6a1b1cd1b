"""HTTP/2 and gRPC framing as a server needs them: bytes in, events out, frames out.

Belongs here: RFC 9113, RFC 7541 by way of hpack, the gRPC wire format, and the limits that keep a peer affordable.
Does not belong here: sockets, clocks (time is an argument), tasks, TLS, any knowledge of what the messages mean.
"""
