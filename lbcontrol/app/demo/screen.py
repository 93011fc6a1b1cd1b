"""What the demo shows: a table of wanted and seen shares, state, latency, lost calls. Text alone says everything."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lbcontrol.app.cli import words
from lbcontrol.app.demo.options import SERVICE
from lbcontrol.app.demo.picture import percentile
from lbcontrol.app.demo.world import Backend, World

WINDOW = 5.0
"""Seconds of calls behind each number."""
BAR = 18
"""Blocks of a backend that gets everything; the table then fits 80 columns."""
LOG = 5
"""Lines of what happened; with nine backends the picture then has 23 lines."""
KEYS = (
    "1-9 pick · k kill/revive · s slow/cure · d drain/undrain · w re-weight · a add · "
    "c stop/start control plane · q quit"
)


def _row(world: World, backend: Backend, *, now: float) -> tuple[str, str, str, str]:
    """Return wanted, seen, median and 99th percentile of one backend as text."""
    latencies = world.picture.since(now - WINDOW).get(backend.address, [])
    wanted = world.wanted.get(backend.address, 0.0)
    seen = world.picture.shares(now - WINDOW).get(backend.address, 0.0)
    middle, high = percentile(latencies, 0.5), percentile(latencies, 0.99)
    times = "-" if middle is None or high is None else f"{middle:.0f} / {high:.0f} ms"
    return f"{wanted:.1%}", f"{seen:.1%}", times, "▇" * round(seen * BAR)


def table(world: World, *, picked: str, now: float) -> Table:
    """Return the table of backends."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "BACKEND", "STATE", "WANTED", "SEEN", "P50 / P99", "SHARE"):
        made.add_column(name, justify="right" if name in ("WANTED", "SEEN") else "left", no_wrap=True)
    for backend in world.backends:
        wanted, seen, times, bar = _row(world, backend, now=now)
        mark = "▸" if backend.letter == picked else " "
        made.add_row(mark, f"{backend.letter} :{backend.port}", backend.state, wanted, seen, times, bar)
    return made


def headline(world: World, *, now: float) -> str:
    """Return the one line that says how the calls are doing."""
    times = [latency for values in world.picture.since(now - WINDOW).values() for latency in values]
    high = percentile(times, 0.99)
    p99 = "-" if high is None else f"{high:.0f} ms"
    plane = "● control plane up" if world.plane_runs else "✕ control plane stopped"
    return f"{world.picture.rate(now):.0f} calls/s · p99 {p99} · lost {world.picture.lost} · {plane}"


def screen(world: World, *, picked: str, happened: Sequence[str], now: float) -> RenderableType:
    """Return the whole picture."""
    log = [Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in list(happened)[-LOG:]]
    title = Text("lbcontrol demo · one stock gRPC client over xDS, no proxy", style="bold")
    picture = table(world, picked=picked, now=now)
    head = Text(headline(world, now=now))
    return Group(
        title, head, Text(), picture, Text(), *log, Text(), Text(KEYS), Text(f"same as: {asked(world)}", style="dim")
    )


def program() -> str:
    """Return how a user calls this command from where he is."""
    beside = Path(sys.executable).with_name("lbcontrol")
    if shutil.which("lbcontrol") or not beside.exists():
        return "lbcontrol"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def asked(world: World) -> str:
    """Return the command that asks this control plane from another terminal."""
    return f"{program()} get {SERVICE} --server {world.grpc}"


def started(world: World) -> Iterator[str]:
    """Yield what a user is told once calls flow: what runs, and how to ask it."""
    yield f"started: control plane {world.grpc} (operators {world.admin}), {len(world.backends)} backends"
    if world.taken:
        first, more = ", ".join(map(str, world.taken[:4])), ", …" if len(world.taken) > 4 else ""
        yield f"{words.count(len(world.taken), 'port')} taken, so others are used: {first}{more}"
    yield f"from another terminal: {asked(world)}"


def ended(world: World) -> str:
    """Return the last line: what became of the calls, and that nothing is left."""
    return f"ended: {world.picture.answered:,} calls answered, {world.picture.lost:,} lost; every process is stopped"


def line(world: World, *, now: float) -> str:
    """Return the picture as one line, for output that is no terminal."""
    shares = world.picture.shares(now - WINDOW)
    cells = [
        f"{b.letter} {shares.get(b.address, 0.0):.0%}/{world.wanted.get(b.address, 0.0):.0%} {b.state}"
        for b in world.backends
    ]
    return headline(world, now=now) + " · seen/wanted: " + " · ".join(cells)
