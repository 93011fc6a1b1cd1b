"""The compiler as the publisher sees it: the module ``lbcontrol.engine.compile``, or a stand-in in tests.

Capabilities are only passed on: their type belongs to the compiler, and the publisher reads the few fields below.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from lbcontrol.model.assignment import Decision
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import Form, ResourceType


class Capabilities(Protocol):
    """What clients of one kind and version can do; equal ones are told the same. Frozen and hashable."""

    @property
    def kind(self) -> str:
        """Client kind, a value of ``ClientProfile.kind``."""
        ...

    @property
    def carrier(self) -> str:
        """How weights reach these clients."""
        ...

    @property
    def weight_delay(self) -> float:
        """Seconds a change of weights alone waits and keeps away from the one before; 0 for kinds that never redial."""
        ...

    @property
    def restart_jitter(self) -> float:
        """Seconds over which first answers after a restart are spread."""
        ...

    @property
    def stand_in(self) -> bool:
        """True when an unknown name is answered by a stand-in, because absence would make the client wait."""
        ...

    @property
    def namespace(self) -> str:
        """Where these clients' bare names are looked for first."""
        ...

    def without_namespace(self) -> Capabilities:
        """Return those of clients that are alike in all else."""
        ...

    @property
    def listeners(self) -> bool:
        """True when the kind takes listeners from us."""
        ...


class Compiler(Protocol):
    """Turns decisions into forms. Pure: called on the loop's thread and, for big services, on the worker's."""

    def capabilities_for(self, profile: ClientProfile, /) -> Capabilities:
        """Return what a client like this one can do."""
        ...

    def share_key(self, capabilities: Any, type: ResourceType, /) -> Hashable:  # noqa: A002  (field's term)
        """Return a key; capabilities with equal keys get equal forms of this type."""
        ...

    def forms(
        self,
        decision: Decision,
        type: ResourceType,  # noqa: A002  (field's term)
        /,
        *,
        cohort: str,
        capabilities: Any,
        previous: Form | None,
    ) -> tuple[Form, ...]:
        """Return the forms of one type; ``previous`` is the endpoint list published last."""
        ...

    def stand_in(
        self,
        name: str,
        type: ResourceType,  # noqa: A002  (field's term)
        /,
        *,
        capabilities: Any,
    ) -> Form | None:
        """Return what a kind with ``stand_in`` is told of an unknown name, None when absence is the answer."""
        ...

    def problems(self, form: Form, /) -> tuple[Finding, ...]:
        """Return why a client would reject the form; empty for a good one."""
        ...


class Knowledge(Protocol):
    """What is known of names that have no decision; the hub answers."""

    @property
    def settled(self) -> bool:
        """True when every source has handed over a full, readable picture, and its decisions are published."""
        ...

    @property
    def synced(self) -> bool:
        """True when every source has handed over a picture, part of which may be unreadable (a broken file)."""
        ...

    def is_unknown(self, name: str) -> bool:
        """True when settled and no source defines ``name``."""
        ...
