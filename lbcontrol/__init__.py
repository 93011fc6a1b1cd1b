"""Lookaside load balancer for gRPC: a control plane that tells clients whom to dial.

Data flows one way: sources, engine, bus, publisher, front ends. The layers and what each may
import stand in ARCHITECTURE.md and are enforced by ``make layers``.
Does not belong here: any code; this file holds the version alone.
"""

__version__ = "0.1.0.dev0"
