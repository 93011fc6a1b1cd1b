"""Bearer tokens: what is asked of whom, how often, and what is refused without asking."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from lbcontrol.model.clients import Identity
from lbcontrol.model.errors import AuthenticationError, LimitExceededError, SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime import tokens as module
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.tokens import MOST_ASKED, MOST_ASKED_OF_HOST, Session, Tokens

WEB = Identity("system:serviceaccount:shop:web", authenticated=True)


def jwt(**claims: object) -> str:
    """Return a token that claims this; nobody signed it."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


class Reviews:
    """Stands for the API server."""

    def __init__(self) -> None:
        """Good for everybody, at once."""
        self.asked: list[str] = []
        self.answer: Identity | Exception | None = WEB
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.closed = False

    async def review(self, token: str) -> Identity | None:
        """Answer when allowed."""
        self.asked.append(token)
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        """Note it."""
        self.closed = True


class World:
    """Tokens over reviews that a test steers."""

    def __init__(self) -> None:
        """Begin."""
        self.clock, self.reviews, self.metrics = FakeClock(), Reviews(), Metrics()
        self.tokens = Tokens(self.reviews, audience="lb", scheduler=self.clock, metrics=self.metrics)

    def count(self, result: str) -> float:
        """Return how many logins ended so."""
        text = self.metrics.render().decode()
        line = next(
            each for each in text.splitlines() if each.startswith(f'lbcontrol_authn_total{{result="{result}"}}')
        )
        return float(line.rsplit(" ", 1)[1])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world that leaves no task behind."""
    made = World()
    yield made
    await made.tokens.close()
    assert made.reviews.closed


async def test_answer_is_believed_for_a_minute_and_never_past_the_tokens_end(world: World) -> None:
    """Asked again after that."""
    long, short = jwt(aud=["lb"], exp=world.clock.wall() + 3_600), jwt(aud=["lb"], exp=world.clock.wall() + 30)
    assert await world.tokens.identify(long, "h") == Session(WEB, world.clock.wall() + 3_600)
    await world.tokens.identify(short, "h")
    world.clock.advance(29.0)
    assert world.tokens.known(long) is not None
    assert world.tokens.known(short) is not None
    world.clock.advance(2.0)
    assert world.tokens.known(short) is None
    with pytest.raises(AuthenticationError, match="LB520"):
        await world.tokens.identify(short, "h")
    world.clock.advance(30.0)
    assert world.tokens.known(long) is None
    await world.tokens.identify(long, "h")
    assert world.reviews.asked == [long, short, long]
    assert (world.count("accepted"), world.count("denied")) == (5, 1)


@pytest.mark.parametrize(
    "token",
    ["", "a b", "a\n", "ä", "x" * 8_193, jwt(aud=["other"]), jwt(aud="other"), jwt(aud=[], exp=1), jwt(exp=1)],
)
async def test_what_can_be_no_token_for_us_is_refused_unasked(world: World, token: str) -> None:
    """Malformed, too long, for somebody else, expired."""
    with pytest.raises(AuthenticationError, match="LB520"):
        await world.tokens.identify(token, "h")
    assert world.tokens.known(token) is None
    assert world.reviews.asked == []


@pytest.mark.parametrize(
    "token", ["opaque", "a.b.c", "a.W10.c", jwt(exp=True), jwt(exp="soon"), "a." + "W" * 4_000 + ".c"]
)
async def test_any_other_token_is_for_the_reviewer_to_judge(world: World, token: str) -> None:
    """What it says of itself may make no sense: it proves nothing, and has no end that we know."""
    assert (await world.tokens.identify(token, "h")).ends_at == float("inf")


async def test_refusal_is_repeated_for_a_short_time(world: World) -> None:
    """A client that insists costs the API server one question in five seconds."""
    world.reviews.answer = None
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            await world.tokens.identify("t", "h")
    assert world.reviews.asked == ["t"]
    world.clock.advance(5.1)
    world.reviews.answer = WEB
    await world.tokens.identify("t", "h")


async def test_clients_with_one_token_ask_once(world: World) -> None:
    """A thousand at a time, and one that gives up takes nobody along."""
    world.reviews.may_answer.clear()
    waiting = [asyncio.create_task(world.tokens.identify("t", "h")) for _ in range(1_000)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    world.reviews.may_answer.set()
    answers = await asyncio.gather(*waiting[1:])
    assert (set(answers), world.reviews.asked) == ({Session(WEB)}, ["t"])


async def test_questions_under_way_are_few_for_each_host_and_in_all(world: World) -> None:
    """More are refused at once, with a word that means: try again."""
    world.reviews.may_answer.clear()
    waiting = [
        asyncio.create_task(world.tokens.identify(f"t{n}", f"h{n // MOST_ASKED_OF_HOST}")) for n in range(MOST_ASKED)
    ]
    await asyncio.sleep(0)
    for host in ("h0", "elsewhere"):
        with pytest.raises(LimitExceededError, match="LB522"):
            await world.tokens.identify("one-more", host)
    world.reviews.may_answer.set()
    await asyncio.gather(*waiting)
    await world.tokens.identify("one-more", "h0")
    assert (len(world.reviews.asked), world.count("busy")) == (MOST_ASKED + 1, 2)


async def test_one_host_leaves_room_for_the_others(world: World) -> None:
    """Whoever guesses at one address does not lock out the rest."""
    world.reviews.may_answer.clear()
    waiting = [asyncio.create_task(world.tokens.identify(f"t{n}", "h")) for n in range(MOST_ASKED_OF_HOST)]
    await asyncio.sleep(0)
    with pytest.raises(LimitExceededError):
        await world.tokens.identify("more", "h")
    waiting.append(asyncio.create_task(world.tokens.identify("more", "other")))
    world.reviews.may_answer.set()
    await asyncio.gather(*waiting)


async def test_reviewer_that_is_away_is_no_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told apart, said to operators, not remembered, and gone with the next answer."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    world.reviews.may_answer.clear()
    with pytest.raises(SourceUnavailableError, match="LB521"):
        await world.tokens.identify("t", "h")
    world.reviews.may_answer.set()
    world.reviews.answer = SourceUnavailableError(Finding("LB230", "gone"))
    with pytest.raises(SourceUnavailableError, match="LB521"):
        await world.tokens.identify("t", "h")
    assert [each.code for each in world.tokens.findings()] == ["LB230"]
    world.reviews.answer = WEB
    await world.tokens.identify("t", "h")
    assert (world.tokens.findings(), world.count("unavailable")) == ([], 2)


async def test_what_is_kept_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr(module, "MOST_KEPT", 10)
    for number in range(25):
        await world.tokens.identify(f"t{number}", "h")
    assert [number for number in range(25) if world.tokens.known(f"t{number}")] == list(range(15, 25))
