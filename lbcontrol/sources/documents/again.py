"""Reading a file again: what was read before is left out of the text, and put back afterwards.

A change costs what changed, not what the file holds. Services that stand there word by word as before, and such
endpoints of those that do not, become empty lines; the ordinary reader reads the rest, on its true lines. Whatever it
refuses, and whatever does not fit together afterwards, makes it read the whole file: words about errors never come
from here, and what is read is the same with and without this (a property test compares).

Why a text means what it meant: a YAML parser goes from left to right, and where an item of a list begins its state is
that of the list, whatever the items before said. So if one item begins on the first line of a text, and the next one
or the end of the list follows its last line, then the text is one item, here and in every list with as many spaces
before the dash. It is remembered once the parser has found items on just those lines. The first item of a list is
always read, so the list is there (``known`` makes sure that its key is no part of a text in quotes). The last one is
read too when another key follows, and is not remembered: what looks like that key may be the rest of such a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from lbcontrol.model.errors import ConfigError
from lbcontrol.sources.documents.blocks import Blocks, emptied, services_in
from lbcontrol.sources.documents.documents import Documents, PolicyEntry, ServiceEntry
from lbcontrol.sources.documents.known import NOTHING, Known, KnownEndpoint, KnownService, OpenedService, opened
from lbcontrol.sources.documents.reading import mark_of, read_documents
from lbcontrol.sources.documents.refusals import RefusalError
from lbcontrol.sources.documents.services import MAX_SERVICES
from lbcontrol.sources.documents.tree import decoded

Plan = Sequence[tuple[str, KnownService | OpenedService]]
"""What each service of a file is, or that it is read; with its text."""


def read_again(content: bytes | str, *, path: str, known: Known) -> tuple[Documents, Known]:
    """Read all documents of a file like ``read_documents``, sooner when they say what they said before.

    Args:
        content: The file, at most 1 MB.
        path: How people know the file; the same with which what is known was read.
        known: What the last call returned; ``NOTHING`` at first.

    Returns:
        What the file says, and what is known of it now.

    Raises:
        ConfigError: something is wrong; the findings are all that was found.
    """
    try:
        text = decoded(content)
    except RefusalError:
        text = ""
    blocks = services_in(text)
    if blocks is None:
        return read_documents(content, path=path), NOTHING
    plan = _plan(blocks, known)
    sparse = blocks.around(each.sparse() if isinstance(each, OpenedService) else emptied(text) for text, each in plan)
    if sparse == text:
        read = read_documents(content, path=path)
        return read, _known(plan, read.services, path)
    return _read_sparse(sparse, plan, content, path=path) or (read_documents(content, path=path), NOTHING)


def _plan(blocks: Blocks, known: Known) -> Plan:
    """Decide for each service; the first is always read."""
    kept = known.keys() & set(blocks.texts[1:])
    endpoints: dict[str, KnownEndpoint] = {}
    for text, service in known.items():
        if text not in kept:
            endpoints.update(service.endpoints)
    return [
        (text, known[text].at(line) if number and text in kept else opened(text, line, endpoints))
        for number, (text, line) in enumerate(zip(blocks.texts, blocks.lines(), strict=True))
    ]


def _read_sparse(sparse: str, plan: Plan, content: bytes | str, *, path: str) -> tuple[Documents, Known] | None:
    """Read what is not known, and put it together; None when the whole must be read."""
    try:
        read = read_documents(sparse, path=path)
    except ConfigError:
        return None
    known = _known(plan, read.services, path)
    services = tuple(each.entry for each in known.values())
    if not known or not _fit(services, read.policies):
        return None
    return replace(read, services=services, mark=mark_of(content)), known


def _known(plan: Plan, entries: Sequence[ServiceEntry], path: str) -> Known:
    """Return what is known of all services; nothing when others were read than were to be read."""
    fresh, file = iter(entries), PurePath(path).name
    result = {}
    for text, each in plan:
        known = each if isinstance(each, KnownService) else _completed(each, next(fresh, None), file)
        if known is None:
            return NOTHING
        result[text] = known
    return result if next(fresh, None) is None and len(result) == len(plan) else NOTHING


def _completed(service: OpenedService, entry: ServiceEntry | None, file: str) -> KnownService | None:
    return service.completed(entry, file=file) if entry is not None and entry.line == service.line else None


def _fit(services: Sequence[ServiceEntry], policies: Sequence[PolicyEntry]) -> bool:
    """Tell whether no service contradicts anything else in the file."""
    names = [name for each in services for name in (each.name, *each.aliases)]
    prioritised = {each.name for each in services if each.prioritised}
    by_zone = [target for each in policies if each.claim.spec.prefer_zone for target in each.targets]
    return len(services) <= MAX_SERVICES and len(set(names)) == len(names) and prioritised.isdisjoint(by_zone)
