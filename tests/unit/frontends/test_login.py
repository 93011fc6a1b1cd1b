"""Methods behind a login: a handler begins when it is known who calls, and ends when their token does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lbcontrol.frontends.login import SWEEP_SECONDS, Logins, as_local, with_login
from lbcontrol.model.clients import Identity, Peer
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Metadata, Method, Outlet, StatusCode, StatusError, StreamHandler
from lbcontrol.runtime.rights import LOCAL
from lbcontrol.runtime.tokens import Tokens
from tests.unit.frontends.fakes import MemoryOutlet
from tests.unit.runtime.test_tokens import WEB, Reviews, jwt

PEER = Peer("10.0.0.1:5")
CERTIFIED = Peer("10.0.0.1:5", Identity("spiffe://a/b", authenticated=True))


class Handler:
    """Notes what it is told."""

    def __init__(self, *, fails: bool = False) -> None:
        """Begin."""
        self.told: list[object] = []
        self.fails = fails

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Note who calls."""
        del outlet
        if self.fails:
            raise RuntimeError
        self.told.append((peer.identity, dict(metadata)))

    def received(self, message: bytes) -> None:
        """Note it."""
        self.told.append(message)

    def half_closed(self) -> None:
        """Note it."""
        self.told.append("half")

    def writable(self) -> None:
        """Note it."""
        self.told.append("writable")

    def closed(self, reason: str) -> None:
        """Note it."""
        self.told.append(f"closed {reason}")


class World:
    """One method behind a login that a test steers."""

    def __init__(self) -> None:
        """Begin."""
        self.clock, self.reviews, metrics = FakeClock(), Reviews(), Metrics()
        tokens = Tokens(self.reviews, audience="lb", scheduler=self.clock, metrics=metrics)
        self.logins = Logins(tokens, self.clock, metrics=metrics)
        self.handler, self.outlet = Handler(), MemoryOutlet()

    def stream(self, token: str | None, peer: Peer = PEER) -> StreamHandler:
        """Open a stream with a token."""
        (method,) = with_login([Method("/a/B", stream=lambda: self.handler)], self.logins)
        assert method.stream is not None
        made = method.stream()
        told = {} if token is None else {"authorization": f"Bearer {token}"}
        made.opened(peer, {"x": "y", **told}, self.outlet)
        return made


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world that leaves nothing behind."""
    made = World()
    yield made
    await made.logins.close()


def ended(world: World) -> tuple[StatusCode | None, str]:
    """Return how the stream ended; None while it goes on."""
    status = world.outlet.status
    return (None, "") if status is None else (status.code, status.message)


async def turn() -> None:
    """Let what can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_stream_is_held_until_the_token_is_judged(world: World) -> None:
    """Nothing is read meanwhile; then the handler sees the identity, and not the token."""
    world.reviews.may_answer.clear()
    made = world.stream(jwt(aud=["lb"]))
    await turn()
    assert (world.handler.told, world.outlet.paused) == ([], True)
    world.reviews.may_answer.set()
    await turn()
    assert (world.handler.told, world.outlet.paused) == ([(WEB, {"x": "y"})], False)
    made.received(b"m")
    made.writable()
    made.half_closed()
    made.closed("client")
    assert world.handler.told[1:] == [b"m", "writable", "half", "closed client"]


async def test_token_that_is_known_opens_the_stream_at_once(world: World) -> None:
    """As nearly all do that come back."""
    token = jwt(aud=["lb"])
    await world.logins.tokens.identify(token, "h")
    world.stream(token)
    assert world.handler.told == [(WEB, {"x": "y"})]
    assert not world.outlet.paused


@pytest.mark.parametrize("peer", [PEER, CERTIFIED])
async def test_without_a_token_the_connection_says_who_it_is(world: World, peer: Peer) -> None:
    """By its certificate, or anonymous."""
    world.stream(None, peer)
    assert world.handler.told == [(peer.identity, {"x": "y"})]


@pytest.mark.parametrize("word", ["Basic eDp5", "Bearer", "token", b"Bearer x"])
async def test_other_words_are_refused(world: World, word: str | bytes) -> None:
    """Whoever tries to prove something and fails is not anonymous."""
    (method,) = with_login([Method("/a/B", stream=lambda: world.handler)], world.logins)
    assert method.stream is not None
    made = method.stream()
    made.opened(PEER, {"authorization": word}, world.outlet)
    assert world.outlet.status is not None
    assert world.outlet.status.code is StatusCode.UNAUTHENTICATED
    made.closed("ended")
    assert world.handler.told == []


async def test_refused_token_ends_the_stream_before_it_begins(world: World) -> None:
    """The handler never hears of it."""
    world.reviews.answer = None
    made = world.stream("t")
    await turn()
    assert world.outlet.status is not None
    assert world.outlet.status.code is StatusCode.UNAUTHENTICATED
    made.received(b"m")
    made.half_closed()
    made.writable()
    made.closed("ended")
    assert world.handler.told == []


async def test_client_that_leaves_meanwhile_costs_nothing_more(world: World) -> None:
    """The question may go on; nobody hears of its answer."""
    world.reviews.may_answer.clear()
    made = world.stream("t")
    await turn()
    made.closed("client")
    world.reviews.may_answer.set()
    await turn()
    assert world.handler.told == []


async def test_handler_that_breaks_ends_its_stream_only(world: World) -> None:
    """Counted as any other."""
    world.handler.fails = True
    world.stream("t")
    await turn()
    assert world.outlet.status is not None
    assert world.outlet.status.code is StatusCode.INTERNAL


async def test_stream_ends_when_its_token_does(world: World) -> None:
    """Within seconds, and with a word to come again; one that has left is forgotten."""
    token = jwt(aud=["lb"], exp=world.clock.wall() + 100)
    world.stream(token)
    await turn()
    gone = world.stream(token)
    gone.closed("client")
    world.clock.advance(99.0)
    assert ended(world) == (None, "")
    world.clock.advance(1.0 + SWEEP_SECONDS)
    code, words = ended(world)
    assert (code, words.partition(":")[0]) == (StatusCode.UNAUTHENTICATED, "LB523")


async def test_unary_calls_log_in_too(world: World) -> None:
    """The identity is the token's; a refused one never reaches the method."""
    seen: list[object] = []

    async def answer(request: bytes, peer: Peer, metadata: Metadata) -> bytes:
        seen.append((peer.identity, dict(metadata)))
        return request

    (method,) = with_login([Method("/a/B", unary=answer)], world.logins)
    assert method.unary is not None
    assert await method.unary(b"r", CERTIFIED, {"authorization": "bearer t", "x": "y"}) == b"r"
    await method.unary(b"r", CERTIFIED, {})
    assert seen == [(WEB, {"x": "y"}), (CERTIFIED.identity, {})]
    world.reviews.answer = None
    with pytest.raises(StatusError) as caught:
        await method.unary(b"r", PEER, {"authorization": "Bearer u"})
    assert caught.value.status.code is StatusCode.UNAUTHENTICATED
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("peer", "identity"),
    [
        (Peer("unix:"), LOCAL),
        (Peer("127.0.0.1:5"), LOCAL),
        (Peer("[::1]:5"), LOCAL),
        (PEER, Identity()),
        (Peer(""), Identity()),
        (CERTIFIED, CERTIFIED.identity),
    ],
)
async def test_operators_of_this_machine_have_a_name(peer: Peer, identity: Identity) -> None:
    """On the operators' listener; whoever proved something keeps what they proved."""
    seen: list[Identity] = []

    async def answer(request: bytes, caller: Peer, metadata: Metadata) -> bytes:
        del metadata
        seen.append(caller.identity)
        return request

    handler = Handler()
    stream, unary = as_local([Method("/a/B", stream=lambda: handler), Method("/a/C", unary=answer)])
    assert stream.stream is not None
    assert unary.unary is not None
    made = stream.stream()
    made.opened(peer, {}, MemoryOutlet())
    made.received(b"m")
    await unary.unary(b"r", peer, {})
    assert (handler.told, seen) == ([(identity, {}), b"m"], [identity])
