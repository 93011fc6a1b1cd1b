"""Scripted scenarios: break one thing, watch the calls, mend it; each says whether everything recovered and how fast.

The seconds are those of the demo's promise to its user: a killed backend is at zero within 1 s, the others are even
after 3 s, a revived one is called within 2 s, a drained one gets no new call after 2 s, an added one is called within
2 s of its start, and while the control plane is away nothing moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lbcontrol.app.demo.picture import percentile
from lbcontrol.app.demo.world import SLOWNESS, Backend, World

TOLERANCE = 0.06
"""Shares of about 750 random picks lie within this of what is wanted (more than 4 standard deviations)."""
SETTLE = 3.0
"""Seconds of calls that a share is judged by."""
PATIENCE = 20.0
"""Seconds after which something is said never to have happened."""


@dataclass(slots=True)
class Outcome:
    """What a scenario found."""

    scenario: str
    lost: int = 0
    allowed: int = 0
    """Calls that were in flight to a killed backend and could not be saved."""
    seconds: dict[str, float | None] = field(default_factory=dict)
    """How long each step took; None: it did not happen."""
    limits: dict[str, float] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @property
    def recovered(self) -> bool:
        """True when every step came in time and no call was lost that could be saved."""
        return not self.problems()

    def problems(self) -> list[str]:
        """Say what was not as promised."""
        found = list(self.complaints)
        for step, limit in self.limits.items():
            took = self.seconds[step]
            if took is None or took > limit:
                found.append(f"{step}: {'never' if took is None else f'{took:.1f} s'}, promised {limit:.1f} s")
        if self.lost > self.allowed:
            found.append(f"{self.lost} calls lost, at most {self.allowed} could not be saved")
        return found

    def took(self, step: str, seconds: float | None, *, limit: float) -> None:
        """Note how long a step took and how long it may."""
        self.seconds[step] = None if seconds is None else round(seconds, 2)
        self.limits[step] = limit


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _until(world: World, true: Callable[[], bool], *, within: float = PATIENCE) -> float | None:
    """Return the seconds until something is true, looked at with each report of the client; None when it is not."""
    began = _now()
    while not true():
        left = began + within - _now()
        if left <= 0:
            return None
        try:
            async with asyncio.timeout(left):
                await world.ticked.wait()
        except TimeoutError:
            return None
    return _now() - began


async def _pause(seconds: float = SETTLE) -> float:
    """Let some time pass; return when it began."""
    began = _now()
    await asyncio.sleep(seconds)
    return began


async def _called(world: World, backend: Backend, *, since: float) -> float | None:
    """Return the seconds until a backend is called again."""
    await _until(world, lambda: world.picture.called_after(backend.address, since) is not None)
    found = world.picture.called_after(backend.address, since)
    return None if found is None else found - since


def _quiet_after(world: World, backend: Backend, began: float) -> float:
    """Return how long after ``began`` the backend's last call ended."""
    return max(0.0, world.picture.last_call.get(backend.address, began) - began)


def _judge_shares(world: World, outcome: Outcome, wanted: Mapping[str, float], *, since: float) -> None:
    seen = world.picture.shares(since)
    for address, share in wanted.items():
        if abs(seen.get(address, 0.0) - share) > TOLERANCE:
            outcome.complaints.append(f"{address} got {seen.get(address, 0.0):.0%} of the calls, wanted {share:.0%}")


def _without(world: World, backend: Backend) -> dict[str, float]:
    """Return what the others should get while one is away."""
    rest = {address: share for address, share in world.wanted.items() if address != backend.address}
    return {address: share / sum(rest.values()) for address, share in rest.items()}


async def kill(world: World, backend: Backend) -> Outcome:
    """SIGKILL a backend, then start it again."""
    outcome = Outcome("kill")
    lost = world.picture.lost
    outcome.allowed = 2 + round(world.picture.rate(_now()) * world.wanted.get(backend.address, 0.0) * 0.1)
    began = _now()
    await world.kill(backend)
    await asyncio.sleep(1.0)
    settled = await _pause()
    outcome.took("no call", _quiet_after(world, backend, began), limit=1.0)
    _judge_shares(world, outcome, _without(world, backend), since=settled)
    await world.revive(backend)
    outcome.took("first call after revival", await _called(world, backend, since=_now()), limit=2.0)
    outcome.lost = world.picture.lost - lost
    return outcome


async def slow(world: World, backend: Backend) -> Outcome:
    """Add 200 ms to each call of a backend: the latency shows, the weights stay (objective Static)."""
    outcome = Outcome("slow")
    lost = world.picture.lost
    world.slow(backend, slow=True)
    began = await _pause()
    seen = percentile(world.picture.since(began + 0.5).get(backend.address, []), 0.5)
    if seen is None or seen < SLOWNESS * 1000:
        outcome.complaints.append(f"median latency {seen} ms does not show the {SLOWNESS * 1000:.0f} ms added")
    _judge_shares(world, outcome, world.wanted, since=began)
    world.slow(backend, slow=False)

    def cured() -> bool:
        latest = percentile(world.picture.since(_now() - 1.0).get(backend.address, []), 0.9)
        return latest is not None and latest < SLOWNESS * 500

    outcome.took("latency back", await _until(world, cured), limit=10.0)
    outcome.lost = world.picture.lost - lost
    return outcome


async def drain(world: World, backend: Backend) -> Outcome:
    """Drain a backend, then take it back."""
    outcome = Outcome("drain")
    lost = world.picture.lost
    began = _now()
    await world.drain(backend, drain=True)
    await asyncio.sleep(SETTLE)
    outcome.took("no new call", _quiet_after(world, backend, began), limit=2.0)
    undone = _now()
    await world.drain(backend, drain=False)
    outcome.took("first call after undrain", await _called(world, backend, since=undone), limit=2.0)
    outcome.lost = world.picture.lost - lost
    return outcome


async def weight(world: World, backend: Backend) -> Outcome:
    """Give a backend five times its weight, then take that back."""
    outcome = Outcome("weight")
    lost = world.picture.lost
    for heavy in (True, False):
        before = world.wanted
        await world.weigh(backend, heavy=heavy)
        await world.ask()
        if world.wanted == before:
            outcome.complaints.append("the control plane wants the same as before")
        await asyncio.sleep(1.5)  # Weight changes alone may wait for the control interval of 1 s.
        began = await _pause()
        _judge_shares(world, outcome, world.wanted, since=began)
    outcome.lost = world.picture.lost - lost
    return outcome


async def add(world: World, backend: Backend) -> Outcome:
    """Start one more backend and write it into the service file."""
    del backend
    outcome = Outcome("add")
    lost = world.picture.lost
    added = await world.add()
    if added is None:
        outcome.complaints.append("there is no letter left for another backend")
        return outcome
    outcome.took("first call", await _called(world, added, since=_now()), limit=2.0)
    outcome.lost = world.picture.lost - lost
    return outcome


async def plane(world: World, backend: Backend) -> Outcome:
    """Kill the control plane and start it again: nothing else moves."""
    del backend
    outcome = Outcome("plane")
    await world.ask()
    lost, wanted = world.picture.lost, world.wanted
    await world.stop_plane()
    began = await _pause()
    _judge_shares(world, outcome, wanted, since=began)
    again = _now()
    await world.start_plane()
    outcome.took("back", _now() - again, limit=5.0)  # A whole interpreter starts meanwhile.
    since = await _pause()
    await world.ask()
    if world.wanted != wanted:
        outcome.complaints.append("after the restart the control plane wants something else")
    _judge_shares(world, outcome, wanted, since=since)
    outcome.lost = world.picture.lost - lost
    return outcome


Scenario = Callable[[World, Backend], Awaitable[Outcome]]
SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {"kill": kill, "slow": slow, "drain": drain, "weight": weight, "add": add, "plane": plane}
)
"""Every scenario by its name on the command line."""
