"""Console blocks of documents: what they run, what they say is printed, and whether that is true."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+) ([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ ", re.MULTILINE)
SKIP = "..."
"""A line that stands for any number of lines."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a document and the lines that it is said to print."""

    text: str
    lines: tuple[str, ...]


def blocks(text: str, language: str, *, mark: str = "grpcurl") -> list[str]:
    """The contents of the blocks of a Markdown text that have this language and, after it, this mark."""
    return [body for found, marked, body in _BLOCK.findall(text) if (found, marked) == (language, mark)]


def commands(text: str, *, mark: str = "grpcurl") -> list[Command]:
    """Every command of the console blocks: what follows a ``$``, up to the line that ends no quote and no backslash."""
    found = []
    for block in blocks(text, "console", mark=mark):
        for part in _COMMAND.split(block)[1:]:
            lines = part.rstrip("\n").split("\n")
            size = next(n for n in range(1, len(lines) + 1) if _is_whole("\n".join(lines[:n])))
            found.append(Command("\n".join(lines[:size]), tuple(lines[size:])))
    return found


def _is_whole(text: str) -> bool:
    return text.count("'") % 2 == 0 and not text.endswith("\\")


def run(command: Command, binary: Path, *, ports: Mapping[str, str], folder: Path | None = None) -> str:
    """Run a command with ``binary`` in its path, addresses replaced, in ``folder``; AssertionError when it fails."""
    text = command.text
    for written, actual in ports.items():
        text = text.replace(written, actual)
    env = {**os.environ, "PATH": f"{binary.parent}{os.pathsep}{os.environ['PATH']}"}
    argv = ["bash", "-c", text]
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=20.0, check=False)
    assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def missing(command: Command, output: str) -> str | None:
    """The first line that the document promises and the output does not have, in order; None when all is there.

    Between two lines of the document nothing else may be printed, unless ``...`` stands there.
    """
    printed = [line.rstrip() for line in output.splitlines() if line.strip()]
    at, skipping = 0, False
    for line in filter(str.strip, command.lines):
        if line == SKIP:
            skipping = True
            continue
        places = [n for n in range(at, len(printed)) if printed[n] == line]
        if not places or (places[0] != at and not skipping):
            return line
        at, skipping = places[0] + 1, False
    return None if skipping or at == len(printed) else f"(nothing), but there is {printed[at]!r}"
