"""What is known of the files of one source, and what of it is in force: values, each made from the one before."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.collector import collector_paused
from lbcontrol.sources.documents import NOTHING, Documents, Known, read_again
from lbcontrol.sources.documents.combine import settled, snapshots_of
from lbcontrol.sources.documents.refusals import REFUSED_EFFECT
from lbcontrol.sources.documents.warn import warnings_of
from lbcontrol.sources.file_scan import Listing, SeenFile, read_seen

LONG = 50_000
"""Bytes of a file from which on it makes so many objects that the collector waits: some 600 endpoints."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """One file as it was read last."""

    seen: SeenFile
    newest: Documents | None = None
    """What it says now; None when it is wrong or cannot be read."""
    findings: tuple[Finding, ...] = ()
    """Why it is wrong."""
    known: Known = field(default_factory=lambda: NOTHING)
    """What it said when it was right last, by the texts that said so."""


@dataclass(frozen=True, slots=True)
class FileState:
    """All files of a source after one look."""

    listing: Listing = Listing()
    known: Mapping[str, KnownFile] = field(default_factory=dict)
    """By path; exactly the files of the listing."""
    in_force: Mapping[str, Documents] = field(default_factory=dict)
    """By path; of a file that is wrong now, what it said last when it was right."""
    snapshots: Mapping[str, ServiceSnapshot] = field(default_factory=dict)
    """By service."""
    findings: tuple[Finding, ...] = ()
    config: Mapping[str, bool] = field(default_factory=dict)
    """Path to whether the file's newest content is in force; without what is no file."""

    @property
    def complete(self) -> bool:
        """True when all that stands in the files is in force."""
        return all(self.config.values())


def next_state(state: FileState, listing: Listing, *, source: str) -> FileState:
    """Read what changed and return the state after it.

    Args:
        state: The state before.
        listing: What was seen; not missing.
        source: Name of the source.

    Raises:
        MovedError: a file changed meanwhile, so that nothing can be said.
    """
    known = {seen.path: _known(state.known.get(seen.path), seen) for seen in listing.files}
    newest = {path: each.newest for path, each in known.items() if each.newest is not None}
    kept = {path: documents for path, documents in state.in_force.items() if path in known}
    emptied = [path for path in kept if not kept[path].is_empty and path in newest and newest[path].is_empty]
    in_force, refused = settled(kept, {path: newest[path] for path in newest if path not in emptied})
    refused.update((path, (_emptied(path),)) for path in emptied)
    wrong = [finding for each in known.values() for finding in each.findings]
    wrong += [finding for findings in refused.values() for finding in findings]
    documents = [in_force[path] for path in sorted(in_force)]
    advice = [finding for each in documents for finding in each.findings]
    advice += [finding for findings in warnings_of(documents).values() for finding in findings]
    config = {
        path: each.newest is not None and path not in refused
        for path, each in known.items()
        if all(finding.severity is Severity.ERROR for finding in each.findings)
    }
    return FileState(
        listing,
        known,
        in_force,
        snapshots_of(documents, source=source),
        (*wrong, *advice),
        config,
    )


def _emptied(path: str) -> Finding:
    """Say why a file that is empty now does not take away what it said: it was cut, more likely than meant."""
    do = "write services: [] if it shall say nothing, or remove the file"
    return Finding("LB113", "the file is empty now", path, "it was not before", REFUSED_EFFECT, do)


def _known(before: KnownFile | None, seen: SeenFile) -> KnownFile:
    """Read one file, unless it looks as before.

    Raises:
        MovedError: it changed meanwhile.
    """
    if before is not None and before.seen == seen:
        return before
    if seen.problem:
        return KnownFile(seen, None, (seen.problem,))
    known = before.known if before is not None else NOTHING
    try:
        content = read_seen(seen)
        with collector_paused() if len(content) > LONG else contextlib.nullcontext():
            documents, known = read_again(content, path=seen.path, known=known)
    except ConfigError as error:
        return KnownFile(seen, None, tuple(error.findings), known)
    same = before is not None and before.newest == documents
    return KnownFile(seen, before.newest if before is not None and same else documents, known=known)
