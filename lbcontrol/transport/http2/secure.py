"""TLS between a socket and a link: the socket's protocol below, the link's transport above (docs/adr/0011).

asyncio's own TLS keeps 256 KB of buffers per connection. Here OpenSSL works on two memory buffers that *all*
connections of a listener share: what was read is put in and wholly taken out again, what is to be written likewise,
before anything else runs. So a connection costs OpenSSL's own state and no buffer at all; and should that ever go
wrong, bytes of one connection would fail the integrity check of another, not be read by it.

Unsent bytes are the socket's, which counts them as it does without TLS: its pauses pass through to the link.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from lbcontrol.http2.frames import PREFACE, Code, goaway_frame
from lbcontrol.transport.http2.link import Http2Link
from lbcontrol.transport.tls.identity import ANONYMOUS, Login, NoIdentityError, login_of
from lbcontrol.transport.tls.material import ALPN

if TYPE_CHECKING:
    from lbcontrol.transport.http2.secured import Secured

HANDSHAKE_RECORD = 0x16
"""First byte of whoever speaks TLS (RFC 8446 section 5.1)."""
HANDSHAKE_BYTES = 65_536
"""Most bytes of a client before its handshake is done: ClientHello and a chain of certificates."""
IDLE_BYTES, IDLE_FACTOR = 65_536, 8
"""A connection may receive so many bytes of TLS, and so many times what was in them: records without content cost us
(KeyUpdate makes keys) and bring nothing."""
BUFFER_BYTES = 65_536
"""Size of the link's buffer."""
LINGER_SECONDS = 1.0
"""Time that a refused peer has to read why."""
WORDS = b"this port speaks TLS"
HTTP2_ANSWER = goaway_frame(0, Code.INADEQUATE_SECURITY, debug=WORDS)
"""Without SETTINGS before it: gRPC clients then give up at once, instead of trying until their deadline."""
HTTP1_ANSWER = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 21\r\n\r\n" + WORDS + b"\n"
CLOSED = "closed"
"""The peer said that nothing follows (close_notify)."""
PEER_REFUSES = ("TLSV1_ALERT", "SSLV3_ALERT")
"""How OpenSSL begins to say that the peer sent an alert."""


class TlsLink(asyncio.BufferedProtocol, asyncio.Transport):
    """One connection with TLS. Its link exists once the handshake is done."""

    __slots__ = (
        "_accepted_at",
        "_closing",
        "_contained",
        "_inbox",
        "_link",
        "_received",
        "_secured",
        "_socket",
        "_tls",
        "address",
        "login",
    )

    def __init__(self, secured: Secured, address: str) -> None:
        """Wait for the socket; what all connections share is in ``secured``."""
        asyncio.Transport.__init__(self)
        self.address = address
        self.login: Login = ANONYMOUS
        """Who is there; known once the handshake is done."""
        self._secured = secured
        self._accepted_at = secured.shared.now()
        self._socket: asyncio.Transport | None = None
        self._tls: ssl.SSLObject | None = None
        self._link: Http2Link | None = None
        self._inbox = b""
        self._received = self._contained = 0
        self._closing = False

    # What asyncio calls: the socket's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ready: wait for a handshake."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        self._socket = transport
        self._secured.handshakes.began(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the buffer that all connections share."""
        del sizehint
        return self._secured.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take in what was read."""
        self._received += nbytes
        if self._link is not None:
            if self._tls is not None:
                self._secured.incoming.write(self._secured.buffer[:nbytes])
                self._decrypt(self._tls)
            return
        if self._received > HANDSHAKE_BYTES:
            self.refuse("tls_bytes")
            self.abort()
        elif not self._closing:
            if not self._inbox:
                self._secured.handshakes.ready(self)
            self._inbox += self._secured.buffer[:nbytes]

    def eof_received(self) -> bool:
        """The peer sends nothing more: a connection cut in half is of no use."""
        return False

    def pause_writing(self) -> None:
        """The socket takes nothing more."""
        if self._link is not None:
            self._link.pause_writing()

    def resume_writing(self) -> None:
        """There is room again."""
        if self._link is not None:
            self._link.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._closing = True
        self._socket = self._tls = None
        self._secured.handshakes.over(self)
        link, self._link = self._link, None
        if link is None:
            self._secured.shared.seats.free(self.address)
        else:
            self._secured.left(self)
            link.connection_lost(exc)

    # The handshake.

    def step(self) -> None:
        """Go on with the handshake as far as what has arrived leads."""
        data, self._inbox = self._inbox, b""
        if self._closing:
            return
        if self._tls is None:
            if data[0] != HANDSHAKE_RECORD:
                self._answer_plainly(data)
                return
            self._tls = self._secured.accept()
        incoming = self._secured.incoming
        incoming.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # The alert that tells the peer why.
            why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else ""
            self._linger(_reason(error), why)
        else:
            rest = incoming.read()
            self._flush()
            self._established(self._tls, rest)
        finally:
            incoming.read()

    def _answer_plainly(self, data: bytes) -> None:
        """Tell who does not speak TLS that this port does, in what it speaks."""
        if self._socket is not None:
            self._socket.write(HTTP2_ANSWER if data.startswith(PREFACE[:4]) else HTTP1_ANSWER)
        self._linger("tls_plaintext")

    def _linger(self, reason: str, why: str = "") -> None:
        """Refuse, but close a moment later: closing with input unread would take back the words just written."""
        secured = self._secured
        secured.refused(self, reason, why=why)
        secured.handshakes.over(self)
        self._closing = True
        if self._socket is not None:
            secured.later(LINGER_SECONDS, self._socket.close)

    def refuse(self, reason: str, why: str = "") -> None:
        """End a handshake that leads nowhere, and count why."""
        if not self._closing:
            self._secured.refused(self, reason, why=why)
            self.close()

    def _established(self, tls: ssl.SSLObject, rest: bytes) -> None:
        """The handshake is done: see who is there, and begin to speak HTTP/2."""
        secured = self._secured
        secured.handshakes.over(self)
        if tls.selected_alpn_protocol() != ALPN:
            self.refuse("tls_alpn")
            return
        try:
            self.login = login_of(tls, secured.credentials.material.vouched)
        except NoIdentityError as error:
            self.refuse("tls_identity", str(error))
            return
        reason = secured.joined(self)
        link = self._link = Http2Link(secured.shared, self.address, opened_at=self._accepted_at)
        link.connection_made(self)
        if reason:
            self.refuse(reason)
        elif rest:
            secured.incoming.write(rest)
            self._decrypt(tls)

    def expel(self, words: str) -> None:
        """End every stream and the connection: who is there is believed no longer."""
        if self._link is not None:
            self._link.expel(words)

    # Records.

    def _decrypt(self, tls: ssl.SSLObject) -> None:
        """Take everything out of the shared buffer, then hand it to the link: nothing else runs in between."""
        total, ends = self._read(tls)
        self._flush()
        self._contained += total
        if self._received > IDLE_BYTES + IDLE_FACTOR * self._contained:
            ends = "tls_empty"
        if total and self._link is not None:
            self._link.buffer_updated(total)
        if ends == CLOSED:
            self.close()
        elif ends:
            self.refuse(ends)

    def _read(self, tls: ssl.SSLObject) -> tuple[int, str]:
        """Decrypt into the link's buffer; returns the number of bytes, and why the connection ends, if it does."""
        incoming, plain, total = self._secured.incoming, self._secured.shared.buffer, 0
        try:
            while incoming.pending:
                got = int(tls.read(BUFFER_BYTES, plain[total:]))
                if not got:
                    return total, CLOSED
                total += got
        except ssl.SSLWantReadError:
            return total, ""  # The rest of a record is to come; OpenSSL keeps its beginning.
        except ssl.SSLError as error:
            return total, "tls_by_peer" if _reason(error) == "tls_by_peer" else "tls_record"
        finally:
            incoming.read()
        return total, ""

    def _flush(self) -> None:
        outgoing = self._secured.outgoing
        if outgoing.pending:
            data = outgoing.read()
            if self._socket is not None:
                self._socket.write(data)

    # What the link calls: its transport.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and write."""
        tls = self._tls
        if tls is None or self._closing:
            return
        try:
            done = tls.write(data)
            while done < len(data):  # One record at a time: 16 KB.
                done += tls.write(memoryview(data)[done:])
        except ssl.SSLError:
            self.abort()  # The peer's records broke the connection before.
        self._flush()

    def close(self) -> None:
        """Say that nothing follows (close_notify), write what is left, then close; the peer's answer is not awaited."""
        if self._closing or self._socket is None:
            return
        self._closing = True
        if self._link is not None and self._tls is not None:
            with contextlib.suppress(ssl.SSLError):  # It wants the peer's answer, or is broken already.
                self._tls.unwrap()
            self._flush()
        self._socket.close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        if self._socket is not None:
            self._socket.abort()

    def is_closing(self) -> bool:
        """True once nothing more is written."""
        return self._closing or self._socket is None or self._socket.is_closing()

    def pause_reading(self) -> None:
        """Read nothing from the socket."""
        if self._socket is not None:
            self._socket.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self._socket is not None:
            self._socket.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the socket says that it takes nothing more."""
        if self._socket is not None:
            self._socket.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the socket has not taken."""
        return 0 if self._socket is None else self._socket.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection: ``identity``, or what the socket knows."""
        if name == "identity":
            return self.login.identity
        return default if self._socket is None else self._socket.get_extra_info(name, default)


def _reason(error: ssl.SSLError) -> str:
    """Return why a handshake failed, as it is counted."""
    said = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError) or said == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "tls_certificate"
    return "tls_by_peer" if said.startswith(PEER_REFUSES) else "tls_handshake"
