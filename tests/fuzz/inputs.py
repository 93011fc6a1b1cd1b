"""Inputs as text: one a line, in hexadecimal, a run of equal bytes as ``61*1000``; what a corpus and a finding show."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

CORPUS = Path(__file__).parent / "corpus"
RUN = 12
"""Equal bytes from which a run is written as such."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed."""

    name: str
    """On the command line, and of its corpus."""
    make: Callable[[Random], bytes]
    """Returns an input."""
    check: Callable[[bytes], None]
    """Raises when a rule is broken."""
    alone: Callable[[bytes], object]
    """Runs our code on an input and nothing beside it, for its cost."""


class FindingError(Exception):
    """The code under test broke a rule that every input has to keep."""


def text_of(data: bytes) -> str:
    """Return an input as one line."""
    parts: list[str] = []
    plain = bytearray()
    for byte, run in itertools.groupby(data):
        length = sum(1 for _ in run)
        if length < RUN:
            plain += bytes((byte,)) * length
            continue
        if plain:
            parts.append(plain.hex())
            plain.clear()
        parts.append(f"{byte:02x}*{length}")
    if plain:
        parts.append(plain.hex())
    return " ".join(parts)


def bytes_of(line: str) -> bytes:
    """Return the input of a line."""
    found = bytearray()
    for part in line.split():
        digits, _, times = part.partition("*")
        found += bytes.fromhex(digits) * int(times or 1)
    return bytes(found)


def read_corpus(name: str, folder: Path = CORPUS) -> list[bytes]:
    """Return the kept inputs of a target; none when there is no file."""
    path = folder / f"{name}.txt"
    return [bytes_of(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_corpus(name: str, inputs: Iterable[bytes], folder: Path = CORPUS) -> None:
    """Keep inputs, the shortest first, each once."""
    lines = [text_of(data) for data in sorted(set(inputs), key=lambda data: (len(data), data))]
    (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
