"""How decisions travel from their owner to the processes that serve clients.

Belongs here: bus implementations. Does not belong here: decisions themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

BUSES: Mapping[str, str] = {
    "memory": "lbcontrol.buses.memory:MemoryBus",
}
"""Value of ``bus.type`` to the class."""
