"""The Kubernetes source: Services and their EndpointSlices, by list and watch.

Belongs here: what an API server says, read into snapshots.
Does not belong here: what is done with endpoints; other watchers of registries.
"""
