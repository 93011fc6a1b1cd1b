"""What the demo shows: a table of wanted and seen shares, state, latency, lost calls. Text alone says everything."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lbcontrol.app.demo.options import SERVICE
from lbcontrol.app.demo.picture import percentile
from lbcontrol.app.demo.world import Backend, World

WINDOW = 5.0
"""Seconds of calls behind each number."""
BAR = 18
"""Blocks of a backend that gets everything; the table then fits 80 columns."""
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
    plane = "● control plane up" if world.plane_runs else "✕ control plane stopped: clients keep their last list"
    return f"{world.picture.rate(now):.0f} calls/s · p99 {p99} · lost {world.picture.lost} · {plane}"


def screen(world: World, *, picked: str, happened: Sequence[str], now: float) -> RenderableType:
    """Return the whole picture."""
    same = f"same as: lbcontrol watch {SERVICE} --server {world.grpc}"
    log = [Text(line, style="dim") for line in list(happened)[-6:]]
    title = Text("lbcontrol demo · one stock gRPC client over xDS, no proxy", style="bold")
    picture = table(world, picked=picked, now=now)
    head = Text(headline(world, now=now))
    return Group(title, head, Text(), picture, Text(), *log, Text(), Text(KEYS), Text(same, style="dim"))


def line(world: World, *, now: float) -> str:
    """Return the picture as one line, for output that is no terminal."""
    shares = world.picture.shares(now - WINDOW)
    cells = [
        f"{b.letter} {shares.get(b.address, 0.0):.0%}/{world.wanted.get(b.address, 0.0):.0%} {b.state}"
        for b in world.backends
    ]
    return headline(world, now=now) + " · seen/wanted: " + " · ".join(cells)
