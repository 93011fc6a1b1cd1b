"""How decisions travel from their owner to the processes that serve clients.

Belongs here: bus implementations. Does not belong here: decisions themselves.
"""
