"""The socket transport keeps asyncio's promises to a protocol, and one connection's failure stays its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.transport.http2 import polling
from lbcontrol.transport.http2.polling import READ, Poller
from lbcontrol.transport.http2.sockets import SocketTransport

MUCH = 4 * 1_048_576


@dataclass(eq=False)
class Spoken(asyncio.BufferedProtocol):
    """Notes what the transport tells it."""

    got: bytearray = field(default_factory=bytearray)
    told: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    buffer: bytearray = field(default_factory=lambda: bytearray(65_536))
    raises: bool = False

    def _note(self, word: str) -> None:
        self.told.append(word)
        self.news.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep quiet."""

    def get_buffer(self, sizehint: int) -> bytearray:
        """Lend a buffer."""
        del sizehint
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Keep what was read."""
        if self.raises:
            raise RuntimeError("a protocol's mistake")
        self.got += self.buffer[:nbytes]
        self.news.set()

    def eof_received(self) -> bool:
        """Close."""
        self._note("eof")
        return False

    def pause_writing(self) -> None:
        """Note it."""
        self._note("pause")

    def resume_writing(self) -> None:
        """Note it."""
        self._note("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it."""
        self._note("lost" if exc is None else type(exc).__name__)


@dataclass
class Stage:
    """Connections on one poller."""

    poller: Poller
    errors: list[Exception]

    @contextlib.contextmanager
    def connected(self) -> Iterator[tuple[Spoken, SocketTransport, socket.socket]]:
        """Connect a protocol with a peer that tests play."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        with theirs:
            protocol = Spoken()
            transport = SocketTransport(ours, protocol, poller=self.poller)
            yield protocol, transport, theirs
            transport.abort()


def clock() -> LoopScheduler:
    """The running loop's time."""
    return LoopScheduler(asyncio.get_running_loop())


@pytest.fixture
async def stage() -> Stage:
    """A poller on the running loop."""
    errors: list[Exception] = []
    return Stage(Poller(errors.append, clock()), errors)


async def _heard(protocol: Spoken, word: str) -> None:
    while word not in protocol.told:
        protocol.news.clear()
        await protocol.news.wait()


async def _received(peer: socket.socket, size: int) -> bytes:
    loop, data = asyncio.get_running_loop(), bytearray()
    while len(data) < size:
        more = await loop.sock_recv(peer, 1_048_576)
        if not more:
            break
        data += more
    return bytes(data)


async def test_what_the_socket_does_not_take_is_kept_and_follows_in_order(stage: Stage) -> None:
    """Writes beyond the socket's room pause the protocol, and arrive whole once the peer reads."""
    with stage.connected() as (protocol, transport, peer):
        transport.write(b"a" * MUCH)
        transport.write(b"b")
        assert protocol.told == ["pause"]
        assert transport.get_write_buffer_size() > 0
        data = await _received(peer, MUCH + 1)
        assert data == b"a" * MUCH + b"b"
        await _heard(protocol, "resume")
        assert transport.get_write_buffer_size() == 0


async def test_close_writes_what_is_kept_and_takes_nothing_more(stage: Stage) -> None:
    """A GOAWAY that waits behind a slow reader still leaves."""
    with stage.connected() as (protocol, transport, peer):
        transport.write(b"a" * MUCH)
        transport.close()
        transport.write(b"lost")
        assert transport.is_closing()
        assert await _received(peer, MUCH + 4) == b"a" * MUCH
        await _heard(protocol, "lost")


async def test_abort_forgets_what_is_kept(stage: Stage) -> None:
    """A peer that does not read is cut; its protocol hears of it once, in a turn of its own."""
    with stage.connected() as (protocol, transport, _):
        transport.write(b"a" * MUCH)
        transport.abort()
        transport.abort()
        transport.resume_reading()
        assert "lost" not in protocol.told
        await _heard(protocol, "lost")
        await asyncio.sleep(0)
        assert protocol.told.count("lost") == 1
        assert transport.get_extra_info("peername") is None


async def test_peer_that_is_gone_shows_in_a_read_and_in_a_write(stage: Stage) -> None:
    """End of input closes; a reset while something is kept is an error."""
    with stage.connected() as (protocol, _, peer):
        peer.close()
        await _heard(protocol, "lost")
        assert protocol.told == ["eof", "lost"]
    with stage.connected() as (protocol, transport, peer):
        transport.write(b"a" * MUCH)
        transport.pause_reading()
        peer.close()
        await _heard(protocol, "BrokenPipeError")
    with stage.connected() as (protocol, transport, peer):
        peer.close()
        transport.write(b"a")
        await _heard(protocol, "BrokenPipeError")


async def test_paused_reader_leaves_what_arrives(stage: Stage) -> None:
    """Nothing is read while paused, and all of it afterwards."""
    with stage.connected() as (protocol, transport, peer):
        transport.pause_reading()
        peer.send(b"hello")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not protocol.got
        transport.resume_reading()
        await protocol.news.wait()
        assert protocol.got == b"hello"


async def test_mistake_of_one_protocol_ends_its_connection_alone(stage: Stage) -> None:
    """The others that were ready in the same turn are served."""
    with (
        stage.connected() as (bad, _, bad_peer),
        stage.connected() as (good, _, good_peer),
        stage.connected() as (other, transport, _),
    ):
        bad.raises = other.raises = True
        bad_peer.send(b"x")
        good_peer.send(b"y")
        await good.news.wait()
        await _heard(bad, "lost")
        assert good.got == b"y"
        assert [str(error) for error in stage.errors] == ["a protocol's mistake"]
        stage.poller.at_once(transport, events=READ)
        assert not transport.is_closing()  # There was nothing to read.


async def test_end_of_the_poller_closes_what_is_left(stage: Stage) -> None:
    """Whoever still reads the last bytes when a listener is given up is cut: its socket would be watched by nobody."""
    with stage.connected() as (protocol, transport, _):
        transport.write(b"a" * MUCH)
        transport.close()
        stage.poller.stop()
        stage.poller.stop()
        await _heard(protocol, "lost")


@dataclass(eq=False)
class Counted:
    """A socket's owner that reads a byte, or leaves it there, and counts."""

    sock: socket.socket
    served: list[int]
    flags: int = 0

    def ready(self, events: int) -> None:
        """Take what came."""
        del events
        self.served.append(len(self.sock.recv(1, self.flags)))

    def abort(self) -> None:
        """Nothing is kept."""


async def test_turn_ends_when_its_time_is_up_and_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many new clients at once hold up nobody else for long, and each of them is served."""
    monkeypatch.setattr(polling, "TURN_SECONDS", 0.0)
    served: list[int] = []
    poller = Poller(lambda error: pytest.fail(str(error)), clock())
    with contextlib.ExitStack() as stack:
        for _ in range(3 * polling.BETWEEN):
            ours, theirs = (stack.enter_context(sock) for sock in socket.socketpair())
            poller.watch(ours.fileno(), Counted(ours, served), events=READ)
            theirs.send(b"x")
        counts = []
        for _ in range(8):
            await asyncio.sleep(0)
            counts.append(len(served))
        assert sorted(set(counts) - {0}) == [16, 32, 48]
        poller.stop()


async def test_sockets_that_are_always_ready_do_not_keep_the_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers that send without end fill turn after turn: whoever comes last is served all the same."""
    monkeypatch.setattr(polling, "TURN_SECONDS", 0.0)
    poller = Poller(lambda error: pytest.fail(str(error)), clock())
    with contextlib.ExitStack() as stack:
        last: list[int] = []
        for number in range(3 * polling.BETWEEN + 1):
            ours, theirs = (stack.enter_context(sock) for sock in socket.socketpair())
            theirs.send(b"x")
            owner = Counted(ours, last) if number == 3 * polling.BETWEEN else Counted(ours, [], socket.MSG_PEEK)
            poller.watch(ours.fileno(), owner, events=READ)
        for _ in range(8):
            await asyncio.sleep(0)
        assert last == [1]
        poller.stop()
