"""LRS, ``envoy.service.load_stats.v3``: stock gRPC clients and Envoy report the load they saw.

Belongs here: the stream, how a report is read and bounded, which endpoint a locality stands for.
Does not belong here: what is made of a sample (it goes to the load window).
"""
