"""Certificates of listeners: read, proved, renewed while they serve, and who a client's certificate says it is.

Belongs here: files, ``ssl`` contexts, identities. Not here: sockets, records (``http2/secure.py``).
"""
