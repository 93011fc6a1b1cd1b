"""The files of one listener's TLS: where they are, how they looked, and their bytes if they held still."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding

MAX_BYTES = 1_048_576
"""Longest file: a bundle of some hundred authorities."""
MIN_VERSIONS = ("TLSv1.2", "TLSv1.3")
"""What ``tls.minVersion`` accepts."""

Signature = tuple[int, ...]
"""Differs whenever the content may have changed: also after a rename over it or a swapped symlink on the way."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """How one listener proves itself, and whom it believes."""

    cert: Path
    """PEM: its certificate, then those between it and the authority."""
    key: Path
    """PEM, not encrypted."""
    client_ca: Path | None = None
    """PEM: the authorities of clients; None when clients need no certificate."""
    require_client_cert: bool = True
    """With ``client_ca``: whoever has no certificate is turned away."""
    min_version: str = MIN_VERSIONS[0]
    places: Mapping[str, str] = field(default_factory=dict)
    """Field to where it was written, for messages: ``lbcontrol.yaml:7, tls.cert``."""

    @property
    def authenticates(self) -> bool:
        """True when every client proves who it is."""
        return self.client_ca is not None and self.require_client_cert

    def paths(self) -> dict[str, Path]:
        """Return the files that are read, by field."""
        found = {"cert": self.cert, "key": self.key}
        return {**found, "client_ca": self.client_ca} if self.client_ca is not None else found

    def at(self, name: str) -> str:
        """Return where people find the file of a field: the place where it was configured, or the file itself."""
        return self.places.get(name) or str(self.paths()[name])


def look(files: TlsFiles) -> Mapping[str, Signature]:
    """Return how each file looks from outside; one that is not there has a signature of its own. Blocking."""
    return {name: _signature(path) for name, path in files.paths().items()}


def _signature(path: Path) -> Signature:
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return (status.st_mode, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def read(files: TlsFiles, name: str) -> bytes:
    """Return the bytes of a field's file. Blocking.

    Raises:
        ConfigError: it cannot be read, or is too long (LB511).
    """
    path = files.paths()[name]
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(unreadable(files, name, why=error.strerror or str(error))) from error
    if len(content) > MAX_BYTES:
        raise ConfigError(unreadable(files, name, why=f"it has more than {MAX_BYTES} bytes"))
    return content


def unreadable(files: TlsFiles, name: str, *, why: str) -> Finding:
    """Return the finding of a file that cannot be read."""
    path = files.paths()[name]
    return Finding("LB511", f"cannot read {path}", files.at(name), why, do="correct the path, or let lbcontrol read it")
