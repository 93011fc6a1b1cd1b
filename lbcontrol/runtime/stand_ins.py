"""What is told of names that do not exist to kinds that would otherwise wait for them."""

from __future__ import annotations

from collections.abc import Callable

from lbcontrol.model.rendering import Form, Resource, ResourceType
from lbcontrol.runtime.compiler import Capabilities
from lbcontrol.runtime.rendering import Renderer
from lbcontrol.runtime.views import Absence, Change

MOST_STAND_INS = 2_000
"""Encoded stand-ins kept at once, over all views."""


class StandIns:
    """Encoded stand-ins, made once and kept while somebody follows the name. At most ``MOST_STAND_INS``."""

    def __init__(self, renderer: Renderer, *, followed: Callable[[Change], bool]) -> None:
        """Ask ``followed`` what may not be dropped."""
        self._renderer = renderer
        self._followed = followed
        self._kept: dict[Change, dict[Form, Resource]] = {}
        self._all_followed = False
        """True while it is known that nothing can make room: until a name is let go of, or added."""

    def __len__(self) -> int:
        return len(self._kept)

    def stand_in(
        self,
        type: ResourceType,  # noqa: A002  (field's term)
        name: str,
        *,
        capabilities: Capabilities,
    ) -> Resource | Absence:
        """Return the stand-in; plain absence where the compiler has none, or when too many names are followed."""
        form = self._renderer.compiler.stand_in(name, type, capabilities=capabilities)
        kept = self._kept.get((type, name))
        if form is None or (kept is None and not self._room()):
            return Absence.UNKNOWN
        if kept is None:
            kept = self._kept[type, name] = {}
            self._all_followed = False
        if form not in kept:
            kept[form] = self._renderer.resource(type, form)
        return kept[form]

    def released(self, what: Change) -> None:
        """Drop the stand-in of a name unless it is still followed in some view."""
        if what in self._kept and not self._followed(what):
            del self._kept[what]
            self._all_followed = False

    def _room(self) -> bool:
        """Return whether one more may be kept; those that nobody follows make room, and are looked for once."""
        if len(self._kept) >= MOST_STAND_INS and not self._all_followed:
            for what in [each for each in self._kept if not self._followed(each)]:
                del self._kept[what]
            self._all_followed = True
        return len(self._kept) < MOST_STAND_INS
