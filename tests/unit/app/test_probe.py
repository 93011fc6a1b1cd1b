"""The pages of the probe listener, over loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest

from lbcontrol.app.probe import Probe, Readiness, serve_probe
from lbcontrol.model.errors import AccessError
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.transport.listening import Listen


class State:
    """What a test lets the process say of itself."""

    readiness = Readiness("syncing")

    def __init__(self) -> None:
        """Nothing was refused yet."""
        self.refused: list[str] = []


@pytest.fixture
def state() -> State:
    """A process that is not ready yet."""
    return State()


@pytest.fixture
async def probe(state: State) -> AsyncIterator[Probe]:
    """A running listener."""
    started = await serve_probe(
        Listen("127.0.0.1", 0), lambda: state.readiness, metrics=Metrics().render, refused=state.refused.append
    )
    yield started
    await started.stop()


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/nothing"])
async def test_no_page_tells_which_software_answers(probe: Probe, path: str) -> None:
    """A version number helps nobody but who looks for an old one."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{probe.listen}{path}") as answer:
        assert "Server" not in answer.headers


async def page(probe: Probe, path: str, method: str = "GET", data: bytes | None = None) -> tuple[int, str]:
    """Return code and text of a page."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://{probe.listen}{path}", data=data) as answer,
    ):
        return answer.status, await answer.text()


async def test_both_families_reach_the_unspecified_address(state: State) -> None:
    """As the manifests write it: the kubelet asks by the Pod's address, of whichever family that is."""
    started = await serve_probe(Listen("::", 0), lambda: state.readiness, metrics=Metrics().render)
    try:
        for host in ("127.0.0.1", "[::1]"):
            place = f"http://{host}:{started.listen.port}/livez"
            async with aiohttp.ClientSession() as session, session.get(place) as answer:
                assert answer.status == 200
    finally:
        await started.stop()


async def test_live_says_ok_whatever_else_is_wrong(probe: Probe) -> None:
    """A process that answers is alive."""
    assert await page(probe, "/livez") == (200, "ok\n")


async def test_ready_says_one_word_and_why_when_asked(probe: Probe, state: State) -> None:
    """503 with a word until ready; stale sources are detail of a 200."""
    assert await page(probe, "/readyz") == (503, "syncing\n")
    state.readiness = Readiness("ready", ("source file: stale for 3 s",))
    assert await page(probe, "/readyz") == (200, "ready\n")
    assert await page(probe, "/readyz?verbose") == (200, "ready\nsource file: stale for 3 s\n")


async def test_metrics_are_prometheus_text(probe: Probe) -> None:
    """All families are there from the start."""
    code, text = await page(probe, "/metrics")
    assert code == 200
    assert "# TYPE lbcontrol_ready gauge" in text


async def test_anything_else_is_refused_without_reading_it(probe: Probe, state: State) -> None:
    """Unknown pages are 404, other methods 405, and long headers end the connection."""
    assert (await page(probe, "/"))[0] == 404
    assert (await page(probe, "/livez", "POST", b"x" * 100_000))[0] == 405
    assert (await page(probe, "/livez?" + "x" * 10_000))[0] == 400
    assert state.refused == ["path", "method", "malformed"]


async def test_taken_port_is_told_like_those_of_the_other_listeners(probe: Probe) -> None:
    """LB501, with the process that has it."""
    with pytest.raises(AccessError, match=r"LB501: cannot listen on .*: in use by pid"):
        await serve_probe(probe.listen, lambda: Readiness("ready"), metrics=bytes)


async def test_stop_closes_idle_connections_at_once(state: State) -> None:
    """A client that keeps its connection does not hold up the end."""
    started = await serve_probe(Listen("127.0.0.1", 0), lambda: state.readiness, metrics=bytes)
    reader, writer = await asyncio.open_connection("127.0.0.1", started.listen.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"ok\n")
    await asyncio.wait_for(started.stop(), 1.0)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("garbage", [b"GET /livez HT\x1bTP\r\n\r\n", b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n"])
async def test_garbage_is_refused_without_a_word_in_the_log(
    probe: Probe, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger gets a 400 and no stack of ours into the log."""
    reader, writer = await asyncio.open_connection("127.0.0.1", probe.listen.port)
    writer.write(garbage)
    answer = await reader.read()
    writer.close()
    assert b" 400 Bad Request" in answer
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
