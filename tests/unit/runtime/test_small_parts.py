"""Load window, lag meter, authorization, owner, worker, catalog, followers."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time

import pytest

from lbcontrol.frontends.native_ports import LoadSample, LoadSink, LoadTestimony
from lbcontrol.model.clients import Identity, Peer, Role
from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import AccessError
from lbcontrol.runtime.authorization import AllowAll, check_exposure
from lbcontrol.runtime.catalog import Catalog
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.followers import Followers
from lbcontrol.runtime.lag import MOST_AT_ONCE, PERIOD, LagMeter, MeteredSelector
from lbcontrol.runtime.loads import LoadLimits, LoadWindow
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.owner import LocalOwner
from lbcontrol.runtime.pauses import (
    GROWTH_BYTES,
    LOOK_EVERY,
    MIDDLE,
    NEVER,
    SWITCH_INTERVAL,
    YOUNG,
    ShortPauses,
    give_back,
    peak_bytes,
)
from lbcontrol.runtime.ports import Authorizer, Owner
from lbcontrol.runtime.views import ALL
from lbcontrol.runtime.worker import Inline, Worker
from tests.unit.runtime.fakes import CLUSTER, ENDPOINTS, Stream, World, decision


def said(clock: FakeClock, peer: str, service: str = "a", samples: int = 1) -> LoadTestimony:
    """Return what a peer says now."""
    sample = LoadSample(Address("127.0.0.1", 1), rps=1.0)
    return LoadTestimony(Peer(peer), service, 1.0, clock.now(), (sample,) * samples)


def test_load_window_keeps_the_newest_word_of_each_voice() -> None:
    """Two streams of one address are one voice; after a minute it is forgotten."""
    clock, metrics = FakeClock(), Metrics()
    window = LoadWindow(clock, metrics=metrics)
    sink: LoadSink = window
    sink.store(said(clock, "192.0.2.1:1"))
    clock.advance(30)
    newest = said(clock, "192.0.2.1:2")
    sink.store(newest)
    sink.store(said(clock, "192.0.2.2:1", "b"))
    assert window.latest("a") == (newest,)
    clock.advance(59)
    assert window.latest("a") == (newest,)
    clock.advance(1)
    assert window.latest("a") == window.latest("b") == ()
    assert metrics.registry.get_sample_value("lbcontrol_load_samples_total", {"protocol": "native"}) == 3


def test_load_window_is_bounded() -> None:
    """Voices over the limit are refused, samples over the limit push out the oldest; both are counted."""
    clock, metrics = FakeClock(), Metrics()
    window = LoadWindow(clock, metrics=metrics, limits=LoadLimits(voices=2, samples=10))
    for number in range(3):
        window.store(said(clock, f"192.0.2.{number}:1", samples=3))
    assert len(window.latest("a")) == 2
    window.store(said(clock, "192.0.2.1:1", "b", samples=8))
    assert [len(window.latest(service)) for service in ("a", "b")] == [0, 1]
    for reason, count in (("voices", 3), ("full", 6)):
        assert metrics.registry.get_sample_value("lbcontrol_load_samples_rejected_total", {"reason": reason}) == count


class Lags:
    """A meter on a clock that a test sets, and what it noted."""

    def __init__(self) -> None:
        """Begin at 100 s."""
        self.time = 100.0
        self.metrics = Metrics()
        self.meter = LagMeter(self.metrics, now=lambda: self.time)

    def noted(self) -> tuple[float, float]:
        """Return how many measurements there are, and their sum in seconds."""
        value = self.metrics.registry.get_sample_value
        name = "lbcontrol_event_loop_lag_seconds"
        return value(f"{name}_count") or 0.0, round(value(f"{name}_sum") or 0.0, 6)

    def sleep(self, seconds: float, timeout: float | None = None) -> None:
        """Let the loop sleep."""
        self.meter.worked(timeout)
        self.time += seconds
        self.meter.woke()


def test_lag_is_how_long_a_turn_keeps_others_waiting() -> None:
    """Sleeping is on time; a turn of 200 ms is seen as its length less what was left of the period."""
    world = Lags()
    world.sleep(1.0)
    assert world.noted() == (0, 0)
    world.meter.start()
    world.sleep(0.005)
    world.time += 0.2
    world.sleep(0.095)
    assert world.noted() == (1 + 4, 0.185)
    for _ in range(9):
        world.time += 0.001
        world.sleep(0.001, 0.001)
    assert world.noted() == (5, 0.185)
    world.meter.stop()
    world.time += 10.0
    world.sleep(10.0)
    assert world.noted() == (5, 0.185)


def test_loop_that_was_not_woken_in_time_is_late() -> None:
    """Because the machine had no core for it, or the process was stopped; a millisecond is only rounding."""
    world = Lags()
    world.meter.start()
    world.sleep(0.051, 0.05)
    assert world.noted() == (2, 0)
    world.sleep(60.05, 0.05)
    assert world.noted() == (3, 60.0)
    world.sleep(0.0, -1.0)
    world.sleep(3_600.0)
    assert world.noted() == (3 + MOST_AT_ONCE, 60.0)


async def test_selector_tells_the_meter() -> None:
    """On a real loop: work that takes long is seen, sleep is not."""
    selector, metrics = MeteredSelector(), Metrics()
    loop = asyncio.SelectorEventLoop(selector)
    meter = LagMeter(metrics)

    async def work() -> None:
        await asyncio.sleep(0.001)
        selector.meter = meter
        meter.start()
        await asyncio.sleep(0.001)
        time.sleep(0.1)  # noqa: ASYNC251  it is what is measured
        await asyncio.sleep(0.001)

    await asyncio.to_thread(loop.run_until_complete, work())
    loop.close()
    total = metrics.registry.get_sample_value("lbcontrol_event_loop_lag_seconds_sum")
    assert total is not None
    assert total >= 0.1 - PERIOD


def test_free_memory_is_given_back_every_minute() -> None:
    """What lies free between what is kept does not stay resident, on whatever C library."""
    clock, times = FakeClock(), []
    pauses = ShortPauses(clock, trim=lambda: times.append(clock.now()))
    pauses.start()
    clock.advance(LOOK_EVERY * 2)
    pauses.stop()
    clock.advance(LOOK_EVERY * 2)
    assert [at - times[0] for at in times] == [0.0, LOOK_EVERY, 2 * LOOK_EVERY]
    give_back()


def test_short_pauses_are_in_force_until_stopped() -> None:
    """Full collections come with memory and not by counting; a stop puts everything back."""
    clock, before = FakeClock(), (gc.get_threshold(), sys.getswitchinterval())
    memory = [10 * GROWTH_BYTES]
    pauses = ShortPauses(clock, peak=lambda: memory[0])
    pauses.stop()
    pauses.start()
    try:
        assert gc.get_threshold() == (YOUNG, MIDDLE, NEVER)
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
        full = gc.get_stats()[2]["collections"]
        clock.advance(LOOK_EVERY * 3)
        assert gc.get_stats()[2]["collections"] == full
        memory[0] += GROWTH_BYTES
        clock.advance(LOOK_EVERY * 3)
        assert gc.get_stats()[2]["collections"] == full + 1
        assert gc.get_freeze_count()
    finally:
        pauses.stop()
    assert (gc.get_threshold(), sys.getswitchinterval(), gc.get_freeze_count()) == (*before, 0)


def test_peak_is_that_of_this_process() -> None:
    """In bytes: an interpreter with our modules has more than 10 MB and less than 100 GB."""
    assert 10**7 < peak_bytes() < 10**11


@pytest.mark.parametrize(
    "listen",
    ["127.0.0.1:18000", "127.8.0.1:1", "[::1]:18000", "localhost:18000", "unix:admin.sock", "unix:/run/x.sock"],
)
def test_local_listeners_need_no_authentication(listen: str) -> None:
    """Only processes of this machine reach them."""
    check_exposure(listen, authenticated=False, insecure=False)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:18000", "[::]:18000", ":18000", "192.0.2.1:18000", "example.com:80", "[::ffff:127.0.0.1]:1"]
)
def test_exposed_listeners_are_refused_unless_somebody_means_it(listen: str) -> None:
    """Plaintext for strangers takes authentication, or the word insecure; operators take it with TLS, too."""
    with pytest.raises(AccessError, match=r"LB505.*insecure: true|(?s:LB505.*insecure: true)"):
        check_exposure(listen, authenticated=False, insecure=False)
    check_exposure(listen, authenticated=True, insecure=False)
    check_exposure(listen, authenticated=False, insecure=True)
    check_exposure(listen, authenticated=False, insecure=False, encrypted=True)
    with pytest.raises(AccessError, match=r"without authentication"):
        check_exposure(listen, authenticated=False, insecure=False, encrypted=True, operators=True)
    check_exposure(listen, authenticated=True, insecure=False, encrypted=True, operators=True)


def test_allow_all_says_so_and_local_owner_owns() -> None:
    """Both are ports; one is loud about what it does."""
    authorizer: Authorizer = AllowAll()
    owner: Owner = LocalOwner(7)
    assert authorizer.allows(Identity(), Role.OPERATE, "a")
    assert "off" in authorizer.description
    assert (owner.epoch, owner.owns("a")) == (7, True)


async def test_worker_runs_one_thing_after_the_other_beside_the_loop() -> None:
    """Results come back on the loop's thread; after closing they are dropped."""
    worker = Worker(asyncio.get_running_loop())
    main, seen = threading.get_ident(), []
    done = asyncio.Event()
    worker.start(threading.get_ident, lambda ident: seen.append((ident, threading.get_ident())))
    worker.start(lambda: None, lambda _: done.set())
    await done.wait()
    assert seen[0][0] != main
    assert seen[0][1] == main
    assert await worker.run(lambda: 42) == 42
    started = threading.Event()
    worker.start(started.set, lambda _: seen.append((0, 0)))
    started.wait(1)
    worker.close()
    await asyncio.sleep(0)
    assert len(seen) <= 2


async def test_worker_holds_the_collector_back_only_while_it_builds() -> None:
    """What is asked leaves nothing behind, so it may be collected meanwhile; inline, work is done where it stands."""
    loop = asyncio.get_running_loop()
    builder, asked = Worker(loop), Worker(loop, builds=False)
    try:
        assert (await builder.run(gc.isenabled), await asked.run(gc.isenabled)) == (False, True)
        with pytest.raises(ZeroDivisionError):
            await asked.run(lambda: 1 // 0)
    finally:
        builder.close()
        asked.close()
    assert await Inline().run(threading.get_ident) == threading.get_ident()


def test_alias_belongs_to_the_first_service_until_it_lets_go() -> None:
    """A second claim, which the engine reports, changes nothing here."""
    catalog = Catalog()
    catalog.put(decision("a", 1, aliases=("x",)))
    assert catalog.put(decision("b", 1, aliases=("x",))) == {"b", "x"}
    assert catalog.decision("x") is catalog.service("a")
    catalog.put(decision("b", removed=True))
    assert catalog.decision("x") is catalog.service("a")
    assert (catalog.names(), catalog.services()) == (["a", "x"], ["a"])


def test_followers_share_what_they_are_told() -> None:
    """Equal lists are one object; who follows by name and as part of everything hears once."""
    view = World().view()
    one, two, both = Stream(view), Stream(view), Stream(view)
    followers = Followers()
    for stream in (one, two, both):
        followers.add(stream, (CLUSTER, "a"))
        followers.add(stream, (ENDPOINTS, "b"))
    followers.add(both, (CLUSTER, ALL))
    told = followers.tellings([(CLUSTER, "a"), (CLUSTER, "b"), (ENDPOINTS, "b")])
    assert told[one] is told[two]
    assert told[one] == ((CLUSTER, "a"), (ENDPOINTS, "b"))
    assert told[both] == ((CLUSTER, "a"), (CLUSTER, "b"), (ENDPOINTS, "b"))
    assert followers.count((CLUSTER, "a")) == 4
