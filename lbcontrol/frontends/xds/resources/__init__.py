"""Encoders: one file for each xDS resource type, form in, bytes out.

Belongs here: wire types of resources; equal forms give equal bytes, in every process.
Does not belong here: choices that depend on the client, which the compiler has made; responses and streams.
"""
