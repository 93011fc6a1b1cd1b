"""Limits of the native API: each check names the limit, the value and what to do."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from lookaside.api.lbcontrol.v1 import common_pb2

from lbcontrol.frontends.native_ports import NativeLimits
from lbcontrol.model.clients import Peer
from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import InvalidRequestError, NotFoundError
from lbcontrol.model.findings import Finding
from lbcontrol.model.text import stray_in


def checked_name(name: str, limits: NativeLimits) -> str:
    """Return a service name that is neither empty nor too long, and that can be seen.

    Raises:
        InvalidRequestError: it is, or has a character that terminals obey (LB321).
    """
    size, stray = len(name.encode()), stray_in(name)
    if 1 <= size <= limits.name_bytes and stray is None:
        return name
    what = f"the name has {size} bytes" if size else "no service is named"
    why = f"a name has 1 to {limits.name_bytes} bytes"
    if stray is not None:
        what, why = f"the name contains the control character {stray}", "names stand in terminals and logs"
    raise InvalidRequestError(Finding("LB321", what, at="service", why=why))


def _check_sizes(sizes: Mapping[str, tuple[int, int]]) -> None:
    for at, (size, most) in sizes.items():
        if size > most:
            raise InvalidRequestError(Finding("LB323", f"{at} has {size}", at=at, why=f"the limit is {most}"))


def checked_locality(place: common_pb2.Locality, limits: NativeLimits, *, at: str = "locality") -> None:
    """Refuse a locality with a text that is too long or has a character that terminals obey.

    Raises:
        InvalidRequestError: it has one (LB323); the message names it.
    """
    texts = {"region": place.region, "zone": place.zone, "sub_zone": place.sub_zone}
    for name, text in texts.items():
        if stray := stray_in(text):
            why = "localities stand in terminals and logs"
            raise InvalidRequestError(Finding("LB323", f"{at}.{name} has {stray}", at=f"{at}.{name}", why=why))
    _check_sizes({f"{at}.{name}": (len(text.encode()), limits.name_bytes) for name, text in texts.items()})


def checked_profile(profile: common_pb2.ClientProfile, limits: NativeLimits) -> common_pb2.ClientProfile:
    """Return a profile whose texts are within their limits.

    Raises:
        InvalidRequestError: one is not (LB323); the message names it.
    """
    checked_locality(profile.locality, limits, at="client.locality")
    _check_sizes(
        {
            "client.node_id": (len(profile.node_id.encode()), limits.node_id_bytes),
            "client.user_agent_name": (len(profile.user_agent_name.encode()), limits.node_id_bytes),
            "client.user_agent_version": (len(profile.user_agent_version.encode()), limits.node_id_bytes),
            "client.features": (len(profile.features), limits.features),
            "client.features[]": (max((len(f.encode()) for f in profile.features), default=0), limits.feature_bytes),
        }
    )
    return profile


def checked_address(text: str, *, at: str = "address") -> Address:
    """Read an endpoint's address.

    Raises:
        InvalidRequestError: it is not "IP:PORT" or "[IPv6]:PORT" (LB324).
    """
    try:
        return Address.parse(text)
    except ValueError as error:
        raise InvalidRequestError(Finding("LB324", str(error), at=at)) from error


def own_address(address: Address, peer: Peer) -> Address:
    """Put the caller's own IP in the place of an all-zero one."""
    if ipaddress.ip_address(address.host).is_unspecified and peer.host:
        return Address.parse(f"[{peer.host}]:{address.port}" if ":" in peer.host else f"{peer.host}:{address.port}")
    return address


def dialable(address: Address) -> Address:
    """Return an address that clients are to dial.

    Raises:
        InvalidRequestError: no client can dial it (LB324).
    """
    try:
        return Address.parse_dialable(str(address))
    except ValueError as error:
        raise InvalidRequestError(Finding("LB324", str(error), at="address")) from error


def unknown_finding(name: str) -> Finding:
    """Return what is said of a name that nobody serves, or that the caller may not see."""
    return Finding("LB310", f'nobody serves "{name}"', do="lbcontrol services lists what there is")


def unknown_error(name: str) -> NotFoundError:
    """Return the error for such a name."""
    return NotFoundError(unknown_finding(name))
