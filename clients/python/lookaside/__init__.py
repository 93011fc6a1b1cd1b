"""Client library of the lbcontrol lookaside load balancer.

Belongs here: what a program needs to ask a control plane whom to dial (messages in ``api``,
pickers and channels as they come).
Does not belong here: anything of the control plane itself; it depends on this package, never
the other way round.
"""
