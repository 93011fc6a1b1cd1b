"""Generated messages of protocols that are not ours (grpc.reflection.v1).

Belongs here: what scripts/proto writes. Does not belong here: anything written by hand, our own API (lookaside.api).
"""
