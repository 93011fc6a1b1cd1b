"""Endpoints as sources describe them: address, locality, health, weight."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass
from weakref import WeakValueDictionary

MAX_WEIGHT_SUM = 2**32 - 1
"""Clients reject a locality or priority whose weights add up to more (gRFC A27, uint32)."""


class Health(enum.StrEnum):
    """Serving state of an endpoint."""

    SERVING = "serving"
    DRAINING = "draining"  # No new work; work in flight ends in peace.
    NOT_SERVING = "not_serving"
    UNKNOWN = "unknown"  # Nobody said; used like serving, as xDS clients do (gRFC A27).

    @property
    def takes_new_work(self) -> bool:
        """True when clients may send new calls."""
        return self in (Health.SERVING, Health.UNKNOWN)


@dataclass(frozen=True, slots=True, order=True, weakref_slot=True)
class Address:
    """An IP address and port in canonical text form; never a host name."""

    host: str
    """Canonical IP text (``127.0.0.1``, ``2001:db8::1``), no brackets, no zone index."""
    port: int
    """1-65535."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``host:port`` or ``[ipv6]:port``.

        Raises:
            ValueError: not an IP address with a port; the message says what is wrong and what to write.
        """
        known = _PARSED.get(text)
        if known is None:
            known = _PARSED[text] = _parse_address(text)
        return known

    @classmethod
    def parse_dialable(cls, text: str) -> Address:
        """Read an address like ``parse``, of a backend that clients are to dial.

        Raises:
            ValueError: as for ``parse``; or no client can dial it (unspecified, multicast, reserved, broadcast), or it
                is an IPv4 address in IPv6 form, which could stand beside its plain form.
        """
        known = _DIALABLE.get(text)
        if known is None:
            known = _DIALABLE[text] = _parse_dialable(text)
        return known


_PARSED: WeakValueDictionary[str, Address] = WeakValueDictionary()
"""Addresses by their text: sources read the same lists again and again.

Each is remembered for as long as somebody holds it, so that backends that come and go leave nothing behind.
"""
_DIALABLE: WeakValueDictionary[str, Address] = WeakValueDictionary()
"""The same, of those that clients can dial."""


def _parse_address(text: str) -> Address:
    host, bracket, port = text.rpartition(":")
    if not bracket or not host:
        raise ValueError(f'"{text}" has no port; write it as "IP:PORT" or "[IPv6]:PORT"')
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ValueError(f'"{text}" has port "{port}"; a port is a number from 1 to 65535')
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in host and inner == host:
        raise ValueError(f'"{text}" is an IPv6 address without brackets; write "[{host}]:{port}"')
    try:
        ip = ipaddress.ip_address(inner)
    except ValueError:
        raise ValueError(
            f'"{text}" names a host; endpoints are IP addresses, because gRPC clients reject host names in a '
            "list: write the address it resolves to"
        ) from None
    if (ip.version == 6) != (inner != host) or getattr(ip, "scope_id", None):
        raise ValueError(f'"{text}" is not a plain address; write "IPv4:PORT" or "[IPv6]:PORT" without a zone index')
    return Address(str(ip), int(port))


def _parse_dialable(text: str) -> Address:
    address = Address.parse(text)
    ip = ipaddress.ip_address(address.host)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    if mapped is not None:
        raise ValueError(f'"{text}" is an IPv4 address in another form; write "{mapped}:{address.port}"')
    fault = ""
    if ip.is_unspecified:
        fault = "stands for every address of a machine"
    elif ip.is_multicast:
        fault = "is a multicast address"
    elif ip.version == 4 and ip.is_reserved:  # Of IPv6, Python calls half of what exists reserved.
        fault = "is a reserved or broadcast address"
    if fault:
        raise ValueError(f'"{text}" {fault}; clients cannot dial it: write the address of the backend')
    return address


@dataclass(frozen=True, slots=True, order=True)
class Locality:
    """Where an endpoint or client runs; empty text means "not said"."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""

    def __str__(self) -> str:
        return f"{self.region}/{self.zone}/{self.sub_zone}".rstrip("/") or "-"

    @property
    def has_zone(self) -> bool:
        """True when a zone is named."""
        return bool(self.zone)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One dialable unit as one source describes it."""

    address: Address
    weight: int = 1
    """Relative share, whole, at least 1, no unit."""
    locality: Locality = Locality()
    priority: int = 0
    """Failover tier, 0 first; gaps are closed by the engine."""
    health: Health = Health.SERVING
    origin: str = ""
    """Where the source read it, for people: ``greeter.yaml:4``."""
