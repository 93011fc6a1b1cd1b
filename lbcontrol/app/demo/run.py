"""Runs the demo: keys or scenarios act on the world, the picture follows, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable

import grpc
from rich.console import Console
from rich.live import Live

from lbcontrol.app.demo.keys import keys
from lbcontrol.app.demo.options import DemoOptions
from lbcontrol.app.demo.scenarios import SCENARIOS, Outcome
from lbcontrol.app.demo.screen import ended, line, screen, started
from lbcontrol.app.demo.world import Backend, World
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.findings import Finding

FRAME = 0.5
"""Seconds between two pictures on a terminal."""
LINE = 2.0
"""Seconds between two lines elsewhere."""
KEPT = 50
"""Lines of what happened."""


class Demo:
    """One run."""

    def __init__(self, options: DemoOptions, console: Console) -> None:
        """Nothing runs yet."""
        self._options = options
        self._console = console
        self._world = World(options)
        self._picked = self._world.backends[0].letter
        self._happened: deque[str] = deque(maxlen=KEPT)
        self._quit = asyncio.Event()
        self._acts: asyncio.Queue[str] = asyncio.Queue(maxsize=16)
        self.outcomes: list[Outcome] = []

    async def run(self) -> None:
        """Run until a key, a signal, the time or the last scenario ends it; then leave nothing behind."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._quit.set)
        self._print(f"starting a control plane, {len(self._world.backends)} backends and a stock gRPC client …")
        try:
            if await self._unless_quit(self._world.start()):
                for each in started(self._world):
                    self._print(each)
                await self._together()
        finally:
            await self._world.close()
        self._print(ended(self._world))

    async def _unless_quit(self, work: Awaitable[None]) -> bool:
        """Do some work, or break it off at a signal; True when it was done."""
        doing = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self._quit.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not doing.done():
                doing.cancel()
        if doing.cancelled() or not doing.done():
            await asyncio.wait({doing})
            return False
        await doing
        return True

    async def _together(self) -> None:
        parts = [self._listen(), self._ask(), self._show()]
        parts.append(self._script() if self._options.scenarios else self._act())
        tasks = [asyncio.create_task(part) for part in parts]
        stopping = asyncio.create_task(self._quit.wait())
        try:
            with keys(self._pressed):
                async with asyncio.timeout(self._options.exit_after):
                    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            self._say("time is up")
        finally:
            for task in (stopping, *tasks):
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception):
                raise result

    async def _listen(self) -> None:
        while True:
            await self._world.listen()

    async def _ask(self) -> None:
        while True:
            await self._world.ask()
            await asyncio.sleep(0.5)

    async def _show(self) -> None:
        if self._options.json_output:
            await self._quit.wait()
            return
        if not self._console.is_terminal:
            while True:
                await asyncio.sleep(LINE)
                self._console.print(
                    line(self._world, now=asyncio.get_running_loop().time()), soft_wrap=True, highlight=False
                )
        with Live(console=self._console, auto_refresh=False, transient=False) as live:
            while True:
                now = asyncio.get_running_loop().time()
                live.update(screen(self._world, picked=self._picked, happened=self._happened, now=now), refresh=True)
                await asyncio.sleep(FRAME)

    def _pressed(self, key: str) -> None:
        if key == "q":
            self._quit.set()
        elif key.isdigit() and 0 < int(key) <= len(self._world.backends):
            self._picked = self._world.backends[int(key) - 1].letter
        else:
            with contextlib.suppress(asyncio.QueueFull):
                self._acts.put_nowait(key)

    async def _act(self) -> None:
        """Do what the keys say, one after the other."""
        acts: dict[str, Callable[[Backend], Awaitable[str]]] = {
            "k": self._kill,
            "s": self._slow,
            "d": self._drain,
            "w": self._weigh,
            "a": self._add,
            "c": self._plane,
        }
        while True:
            key = await self._acts.get()
            if key in acts:
                try:
                    self._say(await acts[key](self._world.named(self._picked)))
                except grpc.aio.AioRpcError as error:
                    self._say(f"the control plane refused or is away: {error.details()}")

    async def _kill(self, backend: Backend) -> str:
        if backend.child is None:
            await self._world.revive(backend)
            return f"{backend.letter} revived"
        await self._world.kill(backend)
        return f"{backend.letter} killed: the others take its calls (nothing probes backends yet)"

    async def _slow(self, backend: Backend) -> str:
        self._world.slow(backend, slow=not backend.slow)
        return f"{backend.letter} {'slow: the latency shows, the weights stay' if backend.slow else 'cured'}"

    async def _drain(self, backend: Backend) -> str:
        await self._world.drain(backend, drain=not backend.draining)
        return f"{backend.letter} {'draining: no new calls' if backend.draining else 'takes calls again'}"

    async def _weigh(self, backend: Backend) -> str:
        await self._world.weigh(backend, heavy=not backend.heavy)
        return f"{backend.letter} {'has five times its weight' if backend.heavy else 'has its weight back'}"

    async def _add(self, backend: Backend) -> str:
        del backend
        added = await self._world.add()
        return "no letter is left" if added is None else f"{added.letter} added"

    async def _plane(self, backend: Backend) -> str:
        del backend
        if self._world.plane_runs:
            await self._world.stop_plane()
            return "control plane stopped: clients keep their last list"
        await self._world.start_plane()
        return "control plane started"

    async def _script(self) -> None:
        """Run the scenarios in order, each on a backend chosen by the seed."""
        chance = random.Random(self._options.seed)  # noqa: S311  a choice that can be repeated, no secret
        for name in self._options.scenarios:
            backend = chance.choice(self._world.backends)
            outcome = await SCENARIOS[name](self._world, backend)
            self.outcomes.append(outcome)
            problems = "; ".join(outcome.problems())
            self._say(f"{name} {backend.letter}: {problems or 'recovered'}")

    def _say(self, text: str) -> None:
        self._happened.append(f"{time.strftime('%H:%M:%S')}  {text}")
        if not self._console.is_terminal:
            self._print(self._happened[-1])

    def _print(self, text: str) -> None:
        if not self._options.json_output:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def _report(options: DemoOptions, outcomes: list[Outcome], *, recovered: bool) -> str:
    """Return what happened as one JSON document."""
    items = [
        {
            "scenario": each.scenario,
            "recovered": each.recovered,
            "lost": each.lost,
            "lostAllowed": each.allowed,
            "seconds": each.seconds,
            "limits": each.limits,
            "problems": each.problems(),
        }
        for each in outcomes
    ]
    document = {"apiVersion": "lbcontrol.io/v1", "kind": "DemoReport", "recovered": recovered, "items": items}
    document["missing"] = list(options.scenarios[len(outcomes) :])
    return json.dumps(document, indent=2, ensure_ascii=False)


def run(options: DemoOptions) -> int:
    """Run the demo; returns the exit code: 0 only if every scenario that was asked for recovered."""
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        what, do = f'there is no scenario "{unknown[0]}"', f"choose from {', '.join(SCENARIOS)}"
        print(Finding("LB918", what, do=do), file=sys.stderr)
        return 2

    async def main() -> list[Outcome]:
        demo = Demo(options, Console())
        await demo.run()
        return demo.outcomes

    try:
        outcomes = asyncio.run(main())
    except LbControlError as error:
        print(error, file=sys.stderr)
        return 1
    recovered = len(outcomes) == len(options.scenarios) and all(outcome.recovered for outcome in outcomes)
    if options.json_output:
        print(_report(options, outcomes, recovered=recovered))
    return 0 if recovered else 1
