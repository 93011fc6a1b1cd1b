"""What the TLS connections of one listener have in common: certificates, handshakes, and who is logged in."""

from __future__ import annotations

import ssl
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from lbcontrol.runtime.ports import Scheduler, Timer
from lbcontrol.transport.http2.handshakes import Handshakes
from lbcontrol.transport.http2.secure import TlsLink
from lbcontrol.transport.streams import StreamLimits
from lbcontrol.transport.tls.credentials import Credentials
from lbcontrol.transport.tls.identity import Login

if TYPE_CHECKING:
    from lbcontrol.transport.http2.server import Shared

BUFFER_BYTES = 32_768
"""Read from a socket at a time; with what OpenSSL may have kept of a record, at most 16 KB, it fits the link's 64."""
SWEEP_SECONDS = 10.0
"""Between two looks at the end of clients' certificates: streams end a minute later at most (RELIABILITY section 1)."""
LOGS = 10
"""Lines about refused handshakes per second; the rest is counted in the next."""
EXPIRED = "LB518: the client's certificate has expired"
DISTRUSTED = "LB518: the authority of the client's certificate is trusted no longer"

_log = structlog.get_logger("lbcontrol.tls")


class Secured:
    """The TLS side of a listener."""

    def __init__(self, shared: Shared, credentials: Credentials, *, scheduler: Scheduler, limits: StreamLimits) -> None:
        """Begin without connections."""
        self.shared = shared
        self.credentials = credentials
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        """Where every connection reads into."""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        """Between OpenSSL and the sockets; empty whenever anything else runs."""
        asks = credentials.files.authenticates
        most = limits.logins_per_address if asks else limits.connections_per_address
        self.handshakes = Handshakes(scheduler, per_address=most)
        self.later = scheduler.call_later
        """Calls once, so many seconds from now."""
        self._limits = limits
        self._scheduler = scheduler
        self._logins: dict[TlsLink, Login] = {}
        """Connections of clients with a certificate; bounded by the listener's connections."""
        self._by_identity: Counter[str] = Counter()
        self._by_both: Counter[tuple[str, str]] = Counter()
        self._timer: Timer | None = None
        self._logged: deque[float] = deque(maxlen=LOGS)
        self._hushed = 0

    def start(self, *, room: Callable[[], None]) -> None:
        """Begin to look after certificates; ``room`` is called when one more handshake can be taken."""
        self.handshakes.room = room
        self.credentials.watch(self._look)
        self._timer = self._scheduler.call_later(SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """Give up handshakes, and look no more."""
        self.handshakes.stop()
        if self._timer is not None:
            self._timer.cancel()

    def accept(self) -> ssl.SSLObject:
        """Return OpenSSL's side of a new connection, with the certificates in force now."""
        return self.credentials.material.context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def joined(self, link: TlsLink) -> str:
        """Keep who has logged in; returns why there is no seat for it, empty when there is."""
        name, login = link.login.identity.name, link.login
        if not login.identity.authenticated:
            return ""
        self._logins[link] = login
        self._by_identity[name] += 1
        self._by_both[name, link.address] += 1
        if self._by_identity[name] > self._limits.connections_per_identity:
            return "connections_per_identity"
        if link.address and self._by_both[name, link.address] > self._limits.connections_per_identity_and_address:
            return "connections_per_identity_and_address"
        return ""

    def left(self, link: TlsLink) -> None:
        """Forget who is gone."""
        if self._logins.pop(link, None) is None:
            return
        name = link.login.identity.name
        for counter, key in ((self._by_identity, name), (self._by_both, (name, link.address))):
            counter[key] -= 1  # type: ignore[index]  # each counter with its own key
            if not counter[key]:  # type: ignore[index]
                del counter[key]

    def refused(self, link: TlsLink, reason: str, *, why: str) -> None:
        """Count a connection that was not taken, and say why where an operator can do something about it."""
        self.shared.refused(reason)
        now = self._scheduler.now()
        if len(self._logged) == LOGS and now - self._logged[0] < 1.0:
            self._hushed += 1
            return
        self._logged.append(now)
        _log.info("connection refused", address=link.address, reason=reason, why=why, hushed=self._hushed)
        self._hushed = 0

    def _sweep(self) -> None:
        self._look()
        self._timer = self._scheduler.call_later(SWEEP_SECONDS, self._sweep)

    def _look(self) -> None:
        """End connections whose certificate, or whose authority, counts no longer."""
        wall = self._scheduler.wall()
        for link, login in list(self._logins.items()):
            if login.not_after <= wall:
                self._expel(link, EXPIRED)
            elif not self.credentials.trusts(login.anchor):
                self._expel(link, DISTRUSTED)

    def _expel(self, link: TlsLink, words: str) -> None:
        self.shared.refused("certificate")
        link.expel(words)
