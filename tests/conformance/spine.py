"""The real engine, compiler and publisher as views, without hub, sockets and files.

What the hub does in a task of its own is done here at once and in order, so that nothing is left to the scheduler.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from lbcontrol.engine import compile as compiler
from lbcontrol.engine.engine import Engine
from lbcontrol.engine.events import Event, SourceAdded, SourceSynced, SourceUpdated
from lbcontrol.frontends.xds.encode import encode
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.publisher import Publisher
from lbcontrol.runtime.views import View
from lbcontrol.sources.documents import read_documents
from lbcontrol.sources.documents.combine import snapshots_of
from tests.conformance.subject import Document

FILES, LATE = "file", "late"
"""Names of two sources: one defines everything, the other says whether all is known."""


class Spine:
    """Views over published services; also what the publisher asks about absent names."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Begin empty, with nothing synced."""
        self._scheduler = scheduler
        self._engine = Engine(epoch=1)
        self._publisher = Publisher(encode, scheduler, compiler=compiler, knowledge=self, metrics=Metrics())
        self._said: dict[str, ServiceSnapshot] = {}
        self._waiting = False
        self.settled = False
        for source in (FILES, LATE):
            self._apply(SourceAdded(source))

    @property
    def synced(self) -> bool:
        """In the scenarios what is not complete has not synced; a broken file is another matter."""
        return self.settled

    def is_unknown(self, name: str) -> bool:
        """True when settled and no source defines ``name``."""
        return self.settled and self._engine.is_unknown(name)

    def view(self, profile: ClientProfile) -> View:
        """Return the publisher's view of such clients."""
        return self._publisher.view(profile)

    def publish(self, services: Sequence[Document], *, complete: bool = True) -> None:
        """Make ``services`` the whole state; followers are told in the next turn."""
        documents = read_documents(json.dumps({"services": list(services)}), path="services.yaml")
        said = snapshots_of([documents], source=FILES)
        changed = tuple(each for name, each in said.items() if each != self._said.get(name))
        removed = tuple(name for name in self._said if name not in said)
        self._said = said
        self._apply(SourceUpdated(FILES, changed, removed))
        self._apply(SourceSynced(FILES))
        self._apply(SourceSynced(LATE, complete))
        if not self._waiting:
            self._waiting = True
            self._scheduler.call_soon(self._tell)

    def _apply(self, event: Event) -> None:
        for decision in self._engine.apply(event, now=self._scheduler.now(), wall=self._scheduler.wall()):
            self._publisher.receive(decision)

    def _tell(self) -> None:
        self._waiting = False
        self.settled = self._engine.settled
        self._publisher.flush()
        self._publisher.sources_changed()
