"""TLS of our own HTTP/2 over real sockets: who is let in, who is not, and that records are put together again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc.aio
import pytest
from structlog.testing import capture_logs

from lbcontrol.http2.frames import PREFACE, Code, Kind
from lbcontrol.runtime.clock import FakeClock, LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.transport.http2 import handshakes
from lbcontrol.transport.http2.server import Server
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.streams import StreamLimits
from lbcontrol.transport.tls.credentials import Credentials
from lbcontrol.transport.tls.files import TlsFiles
from tests.contract.serving import Served, chosen, credentials, dialled, pki, served, stream, unary
from tests.support.h2raw import raw
from tests.support.pki import SPIFFE_ID
from tests.support.tls_peer import TlsRaw, client_context, tls_raw

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
RECORD = b"\x16\x03\x01\x40\x00" + bytes(16_384)
"""Part of a handshake, of the greatest length that a record has."""
HELLO = RECORD[:5] + b"\x01\x01\x00\x00" + RECORD[9:]
"""The beginning of a ClientHello of 64 KB."""
BIG = bytes(range(256)) * 4_000


@pytest.fixture(autouse=True)
def on_tls() -> Iterator[None]:
    """Everything here runs on our own transport with certificates."""
    token = chosen.set("http2+tls")
    yield
    chosen.reset(token)


def _refused(plane: Served, reason: str) -> float | None:
    return plane.sample("rejected_total", layer="transport", reason=reason)


async def _until_refused(plane: Served, reason: str, count: float = 1.0) -> None:
    while _refused(plane, reason) != count:  # noqa: ASYNC110  a counter has no event
        await asyncio.sleep(0.002)


async def _until_nobody_logs_in(plane: Served) -> None:
    assert isinstance(plane.server, Server)
    assert plane.server._secured is not None
    while plane.server._secured.handshakes._open:  # noqa: ASYNC110  as above
        await asyncio.sleep(0.002)


def _client(most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, *, alpn: str = "h2") -> ssl.SSLContext:
    return client_context(pki().authority.cert, pki().client, alpn=alpn, most=most)


def _open_to_all() -> Listen:
    """A listener whose clients need no certificate."""
    scheduler = LoopScheduler(asyncio.get_running_loop())
    files = TlsFiles(pki().server.cert, pki().server.key)
    return Listen("127.0.0.1", 0, tls=Credentials(files, scheduler, metrics=Metrics()))


async def _shake_and_read(peer: TlsRaw) -> None:
    """Read on after the handshake: with TLS 1.3 a client is done before its certificate is looked at."""
    await peer.shake()
    while True:
        await peer._fill()
        peer.tls.read(1_000)


@contextlib.asynccontextmanager
async def _inside(plane: Served, context: ssl.SSLContext | None = None) -> AsyncIterator[TlsRaw]:
    """A connection with one open stream."""
    async with tls_raw(plane.target, context or _client()) as peer:
        await peer.shake()
        await peer.hello()
        await peer.send(peer.opening())
        await peer.say(b"one")
        assert (await peer.wait_for(Kind.DATA))[5:] == b"one"
        yield peer


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
async def test_handlers_are_told_who_the_certificate_names(version: ssl.TLSVersion) -> None:
    """The SPIFFE id is the identity, whatever other names there are; nothing is compressed, h2 is spoken."""
    async with served() as plane, _inside(plane, _client(version)) as peer:
        assert plane.handlers[0].peer.identity.name == SPIFFE_ID
        assert plane.handlers[0].peer.identity.authenticated
        assert plane.handlers[0].peer.host == "127.0.0.1"
        assert (peer.tls.selected_alpn_protocol(), peer.tls.compression()) == ("h2", None)


async def test_without_client_ca_everyone_is_anonymous() -> None:
    """A listener that asks for no certificate encrypts, and knows nobody."""
    async with served(_open_to_all()) as plane, _inside(plane, client_context(pki().authority.cert)):
        assert not plane.handlers[0].peer.identity.authenticated


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("who", ["nobody", "stranger"])
async def test_client_that_nobody_vouches_for_is_told_so_by_an_alert(who: str, version: ssl.TLSVersion) -> None:
    """No certificate, or one of an authority that is not believed: an alert says why, and it is counted."""
    own = pki().stranger if who == "stranger" else None
    context = client_context(pki().authority.cert, own, most=version)
    async with served() as plane, tls_raw(plane.target, context) as peer:
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            await _shake_and_read(peer)
        await _until_refused(plane, "tls_certificate")


@pytest.mark.parametrize("alpn", ["http/1.1", ""])
async def test_client_that_does_not_offer_h2_is_refused(alpn: str) -> None:
    """RFC 9113 section 3.2: HTTP/2 is agreed by ALPN, or not spoken."""
    async with served() as plane, tls_raw(plane.target, _client(alpn=alpn)) as peer:
        await peer.shake()
        assert not await peer.receive()
        await _until_refused(plane, "tls_alpn")


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", PREFACE], ids=["http1", "http2"])
async def test_plaintext_is_told_that_the_port_speaks_tls(said: bytes) -> None:
    """In the words of whoever came: HTTP/1.1, or a GOAWAY that gRPC clients show."""
    async with served() as plane, raw(plane.target) as peer:
        await peer.send(said)
        if said == PREFACE:
            assert await peer.end() == (Code.INADEQUATE_SECURITY, "this port speaks TLS")
        else:
            assert await asyncio.get_running_loop().sock_recv(peer.sock, 1_000) == (
                b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 21\r\n\r\nthis port speaks TLS\n"
            )
        await _until_refused(plane, "tls_plaintext")


async def test_refused_peer_is_written_by_its_own_family() -> None:
    """On [::], too: operators look for the address as they know it."""
    with capture_logs() as logs:
        async with served(Listen("::", 0)) as plane, raw(f"127.0.0.1:{plane.server.listen.port}") as peer:
            await peer.send(PREFACE)
            await _until_refused(plane, "tls_plaintext")
    assert [each["address"] for each in logs if each["event"] == "connection refused"] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"\x16\x03\x01\x00\x05hello", "tls_handshake"),
        (b"\x16\x03\x01\xff\xff" + b"\x00" * 70_000, "tls_handshake"),
        (HELLO + RECORD * 4, "tls_bytes"),
    ],
    ids=["garbage", "long record", "endless hello"],
)
async def test_garbage_instead_of_a_handshake_ends_the_connection(said: bytes, reason: str) -> None:
    """Nothing escapes, nothing is kept, and the next caller is served."""
    async with served() as plane, raw(plane.target) as peer:
        await peer.send(said)
        await peer.end()
        await _until_refused(plane, reason)
        assert plane.sample("internal_errors_total", part="transport") == 0.0
        async with _inside(plane):
            pass


async def test_handshake_that_never_ends_has_five_seconds() -> None:
    """Silence, and a hello cut in the middle, cost a place until then and nothing more."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as silent, tls_raw(plane.target, _client()) as half:
        half._step()
        await half.send_raw(half.outgoing.read()[:100])
        await asyncio.sleep(0.05)
        clock.advance(4.5)
        assert not _refused(plane, "tls_seconds")
        clock.advance(1.0)
        assert await silent.end() is None
        assert not await half.receive()
        assert _refused(plane, "tls_seconds") == 2.0


async def test_handshake_byte_by_byte_is_put_together() -> None:
    """Records may be cut anywhere, those of the handshake and those after it."""
    async with served() as plane, tls_raw(plane.target, _client()) as peer:
        await peer.shake(cut=7)
        await peer.hello()
        await peer.send(peer.opening())
        records = peer.sealed(b"\0\0\x08\0\0\0\0\0\x01\0\0\0\0\x03two")
        for at in range(len(records)):
            await peer.send_raw(records[at : at + 1])
            await asyncio.sleep(0)
        assert (await peer.wait_for(Kind.DATA))[5:] == b"two"


async def test_spoiled_record_ends_one_connection_and_no_other() -> None:
    """The shared buffers are clean afterwards: the neighbour goes on in the midst of a record of its own."""
    async with served() as plane, _inside(plane) as neighbour, _inside(plane) as peer:
        records = neighbour.sealed(b"\0\0\x08\0\0\0\0\0\x01\0\0\0\0\x03two")
        await neighbour.send_raw(records[:20])
        spoiled = bytearray(peer.sealed(b"x" * 100))
        spoiled[-1] ^= 1
        await peer.send_raw(bytes(spoiled) + peer.sealed(b"y" * 100))
        assert await peer.end() is None
        assert _refused(plane, "tls_record") == 1.0
        await neighbour.send_raw(records[20:])
        assert (await neighbour.wait_for(Kind.DATA))[5:] == b"two"


async def test_close_notify_is_answered() -> None:
    """Who says that nothing follows is told the same, and its streams are closed."""
    async with served() as plane, _inside(plane) as peer:
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.tls.unwrap()
        await peer.send_raw(peer.outgoing.read())
        await plane.handlers[0].over.wait()
        while True:  # An SSLEOFError, or a reset, would be a cut without words.
            try:
                peer.tls.unwrap()
                break
            except ssl.SSLWantReadError:
                await peer._fill()


async def test_large_messages_pass_both_ways_under_back_pressure() -> None:
    """What a reader does not take waits as one message and the socket's 64 KB, not in TLS."""
    async with served() as plane, _inside(plane) as peer:
        handler = plane.handlers[0]
        while not handler.refused:
            handler.send(BIG)
            await asyncio.sleep(0)
        link = plane.server._shared.links()[0]  # type: ignore[union-attr]
        assert link._transport is not None
        assert 0 < link._transport.get_write_buffer_size() <= 65_536 + 4 * len(BIG)
        got = b""
        while not got.endswith(BIG[-1_000:]) or len(got) < len(BIG):
            got += await peer.wait_for(Kind.DATA)
        assert BIG in got


async def test_records_without_content_are_not_taken_for_ever() -> None:
    """Empty records cost us and bring nothing: beyond 64 KB and eight times what they held it is the end."""
    async with served() as plane, _inside(plane) as peer:
        await peer.send((9_005).to_bytes(3, "big") + b"\0\0\0\0\0\x01" + b"\0" + (9_000).to_bytes(4, "big"))
        for _ in range(90):
            await peer.send_raw(b"".join(peer.sealed(b"x") for _ in range(100)))
        await asyncio.wait_for(_until_refused(plane, "tls_empty"), 5.0)


async def test_callers_beyond_the_handshakes_in_progress_wait_in_the_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent connections fill all places; an honest one is served when the first of them is given up."""
    monkeypatch.setattr(handshakes, "MOST", 4)
    clock = FakeClock()
    async with contextlib.AsyncExitStack() as stack:
        plane = await stack.enter_async_context(served(clock=clock))
        for _ in range(4):
            await stack.enter_async_context(raw(plane.target))
        await asyncio.sleep(0.05)
        async with dialled(plane.target) as channel:
            answer = asyncio.ensure_future(unary(channel, b"one"))
            await asyncio.sleep(0.1)
            assert not answer.done()
            clock.advance(6.0)
            assert await asyncio.wait_for(answer, 10.0) == b"one127.0.0.1"
        assert _refused(plane, "tls_seconds") == 4.0


async def test_connections_are_counted_by_login_and_identity() -> None:
    """Per address while nobody is known, then per identity, and per both."""
    limits = StreamLimits(logins_per_address=2, connections_per_identity_and_address=1)
    async with served(limits=limits) as plane:
        async with raw(plane.target), raw(plane.target), raw(plane.target):
            await asyncio.wait_for(_until_refused(plane, "logins_per_address"), 5.0)
        await asyncio.wait_for(_until_nobody_logs_in(plane), 5.0)
        async with _inside(plane), tls_raw(plane.target, _client()) as second:
            await second.shake()
            await second.end()
            assert _refused(plane, "connections_per_identity_and_address") == 1.0
    async with served(limits=StreamLimits(connections_per_identity=1)) as plane:
        async with _inside(plane), tls_raw(plane.target, _client()) as second:
            await second.shake()
            await second.end()
            assert _refused(plane, "connections_per_identity") == 1.0
        await plane.handlers[0].over.wait()
        async with _inside(plane):
            pass


async def test_certificate_without_a_usable_name_is_refused(tmp_path: Path) -> None:
    """Two URI names say two things; a common name alone says nothing."""
    authority = pki().authority
    two = authority.issue("two", "URI:spiffe://a/b", "URI:spiffe://a/c")
    none = authority.issue("none")
    async with served() as plane:
        for count, own in enumerate((two, none), 1):
            async with tls_raw(plane.target, client_context(authority.cert, own)) as peer:
                await peer.shake()
                await peer.end()
            await _until_refused(plane, "tls_identity", float(count))


async def test_streams_end_when_the_certificate_has_expired() -> None:
    """At most a minute after its end, with words; until then nothing happens."""
    clock = FakeClock()
    async with served(clock=clock) as plane, dialled(plane.target) as channel:
        call = stream(channel)
        await call.write(b"one")
        assert await call.read() == b"one"
        clock.advance(11.0)
        assert plane.handlers[0].closings == []
        clock.jump_wall(20 * 365 * 86_400.0)
        clock.advance(11.0)
        with pytest.raises(grpc.aio.AioRpcError, match="LB518: the client's certificate has expired"):
            await call.read()
        assert plane.handlers[0].closings == ["certificate"]
        assert plane.sample("streams_reaped_total", reason="certificate") == 1.0
        assert _refused(plane, "certificate") == 1.0


async def test_streams_end_when_their_authority_is_taken_out() -> None:
    """As soon as the new bundle is in force."""
    scheduler = LoopScheduler(asyncio.get_running_loop())
    tls = credentials(scheduler, Metrics())
    async with served(Listen("127.0.0.1", 0, tls=tls)) as plane, _inside(plane) as peer:
        tls.material = dataclasses.replace(tls.material, anchors={b"another": 0.0})
        for changed in tls._watchers:
            changed()
        await asyncio.wait_for(peer.end(), 10.0)
        assert plane.handlers[0].closings == ["certificate"]


async def test_resumed_session_keeps_its_identity_and_its_authority() -> None:
    """TLS 1.2 hands no chain over again: who vouched is remembered, or the client is turned away."""
    context = _client(ssl.TLSVersion.TLSv1_2)
    scheduler = LoopScheduler(asyncio.get_running_loop())
    tls = credentials(scheduler, Metrics())
    async with served(Listen("127.0.0.1", 0, tls=tls)) as plane, _inside(plane, context) as first:
        for count in range(2):
            async with tls_raw(plane.target, context) as peer:
                bios, session = (peer.incoming, peer.outgoing), first.tls.session
                peer.tls = context.wrap_bio(*bios, server_hostname="localhost", session=session)
                await peer.shake()
                assert peer.tls.session_reused
                await peer.hello()
                await peer.send(peer.opening())
                await peer.say(b"one")
                if count == 0:
                    await peer.wait_for(Kind.DATA)
                    assert plane.handlers[-1].peer.identity.name == SPIFFE_ID
                else:
                    await peer.end()
                    assert _refused(plane, "tls_identity") == 1.0
            tls.material.vouched.clear()


async def test_stop_ends_handshakes_and_streams() -> None:
    """Who is in the middle of a handshake is closed; an open stream ends with words."""
    async with served() as plane, dialled(plane.target) as channel, raw(plane.target) as shaking:
        call = stream(channel)
        await call.write(b"one")
        assert await call.read() == b"one"
        await asyncio.gather(plane.server.stop(0.0), shaking.end())
        assert (await call.code()).name == "UNAVAILABLE"
