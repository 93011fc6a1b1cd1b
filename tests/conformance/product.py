"""Our own front end as a subject: its state machines, driven without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lbcontrol.frontends.xds.frontend import XdsFrontEnd, XdsParts
from lbcontrol.model.clients import Identity, Role
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from tests.conformance.fake_world import FakeWorld, kind_of
from tests.conformance.machine import MachineWire
from tests.conformance.subject import Document
from tests.conformance.wire import METHODS


class AllowsAll:
    """Lets everyone read everything."""

    description = "test"

    def allows(self, identity: Identity, role: Role, service: str) -> bool:
        """Return True."""
        return True


class MachineSubject:
    """The xDS front end on a world of dictionaries.

    To run the scenarios on engine and publisher instead, replace the two lines in ``reset`` that make ``world`` and
    ``parts`` (views and ``kind_of``), and the one in ``publish`` that hands the documents over. ``publish`` must not
    give the loop a turn: changes in a row reach the clients as one (scenario ``sotw-back-to-back``).
    """

    name = "product, state machine"
    patience = 3.0

    def __init__(self) -> None:
        """Wait for ``reset``."""
        self.world: FakeWorld
        self.front: XdsFrontEnd
        self._wires: list[MachineWire] = []

    async def reset(self) -> None:
        """Build everything anew, on the running loop."""
        scheduler = LoopScheduler(asyncio.get_running_loop())
        self.world = FakeWorld(scheduler)
        parts = XdsParts(self.world, AllowsAll(), scheduler, Metrics(), kind_of)
        self.front = XdsFrontEnd(parts)
        self._wires = []

    async def publish(self, services: Sequence[Document], *, complete: bool) -> None:
        """Make ``services`` the whole state; streams are told in the loop's next turn."""
        self.world.publish(services, complete=complete)

    def open(self, variant: str) -> MachineWire:
        """Open one stream."""
        method = next(method for method in self.front.methods() if method.path == METHODS[variant])
        assert method.stream is not None
        wire = MachineWire(method.stream())
        self._wires.append(wire)
        return wire

    async def close(self) -> None:
        """Close every stream."""
        for wire in self._wires:
            await wire.close()
