"""What ``lbcontrol validate`` finds: files as the file source would read them, all at once."""

from __future__ import annotations

import os
from collections.abc import Iterable

from lbcontrol.model.findings import Finding
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.sources.file_scan import Listing, MovedError, SeenFile, look
from lbcontrol.sources.file_state import FileState, next_state

ATTEMPTS = 5
"""How often files that change while they are read are read again."""
NAME = "validate"
"""Name of the source in the snapshots."""


def validate(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Finding], list[ServiceSnapshot]]:
    """Read files and directories as one source would.

    Args:
        paths: Files and directories; a file that is named twice is read once.

    Returns:
        Every error and warning, and the services of the files that are right, by name.
    """
    names = [os.fspath(path) for path in paths]
    for _ in range(ATTEMPTS):
        findings, files = _look(names)
        try:
            state = next_state(FileState(), Listing(tuple(files)), source=NAME)
        except MovedError:
            continue
        return [*findings, *state.findings], list(state.snapshots.values())
    return [Finding("LB202", "the files do not hold still", ", ".join(names), do="try again")], []


def _look(paths: list[str]) -> tuple[dict[Finding, None], list[SeenFile]]:
    findings: dict[Finding, None] = {}
    files: dict[str, SeenFile] = {}
    for listing in map(look, paths):
        if listing.missing:
            findings[listing.missing] = None
        for file in listing.files:
            files.setdefault(os.path.realpath(file.path), file)
    return findings, sorted(files.values(), key=lambda file: file.path)
