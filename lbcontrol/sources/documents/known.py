"""What the texts of services and endpoints mean, remembered from one reading of a file to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Endpoint
from lbcontrol.sources.documents.blocks import Blocks, emptied, endpoints_in
from lbcontrol.sources.documents.documents import ServiceEntry
from lbcontrol.sources.documents.services import MAX_ENDPOINTS
from lbcontrol.sources.documents.tree import read_forest


class KnownEndpoint(NamedTuple):
    """What the text of an endpoint means."""

    endpoint: Endpoint
    """Its origin is a place where the text stood once."""
    address: str
    """What tells it from others; kept, because making and hashing it costs more than all else that is done with it."""
    is_prioritised: bool
    """It sets ``priority``."""


@dataclass(frozen=True, slots=True)
class KnownService:
    """What the text of a service means."""

    entry: ServiceEntry
    endpoints: Mapping[str, KnownEndpoint] = field(default_factory=dict)
    """By text, in order; empty when they are written in a way in which they cannot be told apart."""

    def at(self, line: int) -> KnownService:
        """Return what the text means where it begins on ``line``."""
        by, entry = line - self.entry.line, self.entry
        if not by:
            return self
        moved = replace(
            entry,
            endpoints=tuple(_placed(each, _moved(each.origin, by)) for each in entry.endpoints),
            policy=entry.policy and replace(entry.policy, origin=_moved(entry.policy.origin, by)),
            origin=_moved(entry.origin, by),
            line=line,
            prioritised=tuple(each + by for each in entry.prioritised),
        )
        return replace(self, entry=moved)


Known = Mapping[str, KnownService]
"""What a file said last, by the text of each service; takes 300 to 400 bytes per endpoint."""
NOTHING: Known = MappingProxyType({})
"""Known of a file that has not been read."""


def _moved(origin: str, by: int) -> str:
    file, _, line = origin.rpartition(":")
    return f"{file}:{int(line) + by}"


def _placed(endpoint: Endpoint, origin: str) -> Endpoint:
    rest = (endpoint.address, endpoint.weight, endpoint.locality, endpoint.priority, endpoint.health)
    return Endpoint(*rest, origin)


@dataclass(frozen=True, slots=True)
class OpenedService:
    """A service that is read, all of it or without endpoints that are known."""

    text: str
    line: int
    blocks: Blocks | None
    """Its endpoints; None when they cannot be told apart."""
    known: Sequence[KnownEndpoint | None] = ()
    """What each endpoint is that is left out."""

    def sparse(self) -> str:
        """Return its text with empty lines instead of what is left out."""
        if self.blocks is None or not any(self.known):
            return self.text
        texts = zip(self.blocks.texts, self.known, strict=True)
        return self.blocks.around(text if known is None else emptied(text) for text, known in texts)

    def completed(self, entry: ServiceEntry, *, file: str) -> KnownService | None:
        """Put back what was left out.

        Args:
            entry: What was read at the place of this service.
            file: Name of the file in origins.

        Returns:
            What the service is; None when something was left out and does not fit.
        """
        endpoints = self._endpoints(self.blocks, entry, file) if self.blocks else None
        if self.blocks is None or endpoints is None:
            return None if any(self.known) else KnownService(entry)
        known = KnownService(entry, dict(zip(self.blocks.closed(), endpoints, strict=False)))
        if not any(self.known):
            return known
        lines = zip(self.blocks.lines(), endpoints, strict=True)
        prioritised = tuple(line for line, each in lines if each.is_prioritised)
        whole = replace(entry, endpoints=tuple(each.endpoint for each in endpoints), prioritised=prioritised)
        return replace(known, entry=whole) if _fits(whole, endpoints) else None

    def _endpoints(self, blocks: Blocks, entry: ServiceEntry, file: str) -> list[KnownEndpoint] | None:
        """Return all endpoints in order; None when others were read than were left in."""
        fresh, prioritised = iter(entry.endpoints), set(entry.prioritised)
        result = []
        for line, known in zip(blocks.lines(), self.known, strict=True):
            place = f"{file}:{line}"
            if known is not None:
                moved = known.endpoint.origin != place
                result.append(known._replace(endpoint=_placed(known.endpoint, place)) if moved else known)
                continue
            endpoint = next(fresh, None)
            if endpoint is None or endpoint.origin != place:
                return None
            result.append(KnownEndpoint(endpoint, str(endpoint.address), line in prioritised))
        return result if next(fresh, None) is None else None


def opened(text: str, line: int, endpoints: Mapping[str, KnownEndpoint]) -> OpenedService:
    """Return a service that is read without those of its endpoints that are known; the first is always read."""
    blocks = endpoints_in(text, line=line)
    if blocks is None or _is_in_quotes(blocks):
        return OpenedService(text, line, None)
    known = [None, *map(endpoints.get, blocks.closed()[1:])]
    return OpenedService(text, line, blocks, (*known, None)[: len(blocks.texts)])


def _is_in_quotes(blocks: Blocks) -> bool:
    """Tell whether what looks like the list's key is part of a text in quotes: that would not have an end here."""
    lead, _, _ = blocks.texts[0].partition("-")
    return any(each in blocks.head for each in "\"'") and bool(read_forest(f"{blocks.head}{lead}- 1").problems)


def _fits(service: ServiceEntry, endpoints: Sequence[KnownEndpoint]) -> bool:
    """Tell whether nothing in a service contradicts anything else; False also when that takes a closer look."""
    return (
        len(endpoints) <= MAX_ENDPOINTS
        and len({each.address for each in endpoints}) == len(endpoints)
        and sum(each.weight for each in service.endpoints) <= MAX_WEIGHT_SUM
        and not (service.prioritised and service.policy and service.policy.spec.prefer_zone)
    )
