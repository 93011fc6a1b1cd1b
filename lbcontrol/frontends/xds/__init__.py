"""xDS v3: aggregated discovery for stock gRPC clients and Envoy, state of the world and delta.

Belongs here: the protocol machines of a stream, the encoders of forms (``resources/``), xDS wire types.
Does not belong here: sockets and tasks, what a kind of client is told (``engine/compile``), when it is published.
"""
