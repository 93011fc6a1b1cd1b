"""The sources of a running server, as operators see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lbcontrol.engine.state import SourceState
from lbcontrol.frontends.admin_ports import SourceView
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import PolicyClaim
from lbcontrol.runtime.ports import Source


@runtime_checkable
class Findings(Protocol):
    """A part that can say what is wrong with what it works on."""

    def findings(self) -> Sequence[Finding]:
        """Return what is wrong now."""
        ...


@runtime_checkable
class Reporting(Protocol):
    """A source that tells its registry what became of what it said."""

    def follow(self, in_force: Callable[[str], Sequence[PolicyClaim] | None]) -> Callable[[str], None]:
        """Learn whom to ask what is in force; returns what is to be told of every service that is decided.

        Args:
            in_force: Returns the claims that the last decision of a service knew, the one in force first, or None
                when there is no decision.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunningSource:
    """One source that runs."""

    name: str
    type: str
    source: Source

    def findings(self) -> tuple[Finding, ...]:
        """Return what the source says is wrong; most types have nothing to say."""
        return tuple(self.source.findings()) if isinstance(self.source, Findings) else ()


def source_views(states: Iterable[SourceState], running: Iterable[RunningSource], *, wall: float) -> list[SourceView]:
    """Return the sources: what the engine knows of each, and what it says of itself.

    Args:
        states: From the engine.
        running: Those that run here; one that the engine knows besides is of type "-".
        wall: Unix seconds.
    """
    known = {each.name: each for each in running}
    return [_view(state, known.get(state.name), wall) for state in states]


def _view(state: SourceState, running: RunningSource | None, wall: float) -> SourceView:
    stale = () if state.stale is None else (state.stale,)
    said = running.findings() if running is not None else ()
    return SourceView(
        name=state.name,
        type=running.type if running is not None else "-",
        up=state.stale is None,
        synced=state.synced,
        complete=state.complete,
        last_event_at=state.last_event_at,
        services=state.services,
        endpoints=state.endpoints,
        stale_for=None if state.stale_since is None else max(0.0, wall - state.stale_since),
        findings=tuple(dict.fromkeys((*stale, *said))),
    )
