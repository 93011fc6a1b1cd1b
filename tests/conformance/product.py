"""Our own front end as a subject: its state machines, driven without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from lbcontrol.engine.compile import kind_of as product_kind_of
from lbcontrol.frontends.xds.frontend import XdsFrontEnd, XdsParts
from lbcontrol.model.clients import Identity, Role
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.views import Views
from tests.conformance.fake_world import FakeWorld, kind_of
from tests.conformance.machine import MachineWire
from tests.conformance.spine import Spine
from tests.conformance.subject import Document
from tests.conformance.wire import METHODS


class AllowsAll:
    """Lets everyone read everything."""

    description = "test"

    def allows(self, identity: Identity, role: Role, service: str) -> bool:
        """Return True."""
        return True


class PublishedViews(Views, Protocol):
    """Views whose services a test publishes. ``publish`` gives the loop no turn: changes in a row are told as one."""

    def publish(self, services: Sequence[Document], *, complete: bool = True) -> None:
        """Make ``services`` the whole state; followers are told in the loop's next turn."""
        ...


class MachineSubject:
    """The xDS front end on a world of dictionaries, or on another world."""

    patience = 3.0

    def __init__(
        self, make: Callable[[Scheduler], PublishedViews] = FakeWorld, kinds: Callable[[str], str] = kind_of
    ) -> None:
        """Wait for ``reset``, which makes the world anew.

        Args:
            make: Makes the world.
            kinds: Tells a client's kind from its user agent.
        """
        self.name = f"product, state machine on {make.__name__}"
        self._make = make
        self._kinds = kinds
        self.world: PublishedViews
        self.front: XdsFrontEnd
        self._wires: list[MachineWire] = []

    async def reset(self) -> None:
        """Build everything anew, on the running loop."""
        scheduler = LoopScheduler(asyncio.get_running_loop())
        self.world = self._make(scheduler)
        parts = XdsParts(self.world, AllowsAll(), scheduler, Metrics(), self._kinds)
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


MACHINES: dict[str, Callable[[], MachineSubject]] = {
    "dictionaries": MachineSubject,
    "spine": lambda: MachineSubject(Spine, product_kind_of),
}
"""The front end alone, and on the real engine, compiler and publisher."""
