"""Register and Withdraw: a backend announces itself under a lease."""

from __future__ import annotations

import ipaddress

from lookaside.api.lbcontrol.v1 import common_pb2
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.frontends.native_check import checked_address, checked_locality, checked_name, dialable, own_address
from lbcontrol.frontends.native_encode import duration, locality_of, seconds
from lbcontrol.frontends.native_ports import NativeLimits, Registrar, Registration
from lbcontrol.frontends.status import require
from lbcontrol.model.clients import Peer, Role
from lbcontrol.model.endpoints import Address, Endpoint, Health
from lbcontrol.model.errors import AccessError, InvalidRequestError, LimitExceededError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.ports import Authorizer

DEFAULT_LEASE = 30.0
"""Seconds, when the request does not say."""

HEALTHS = {
    common_pb2.HEALTH_UNSPECIFIED: Health.SERVING,
    common_pb2.HEALTH_SERVING: Health.SERVING,
    common_pb2.HEALTH_DRAINING: Health.DRAINING,
    common_pb2.HEALTH_NOT_SERVING: Health.NOT_SERVING,
    common_pb2.HEALTH_UNKNOWN: Health.UNKNOWN,
}
"""The API's health in our words."""


class Registering:
    """The two methods of self-registration."""

    def __init__(
        self, registrar: Registrar, authorizer: Authorizer, limits: NativeLimits, allow: tuple[str, ...] = ()
    ) -> None:
        """Build on ``registrar``; ``allow`` are networks (CIDR) a peer may register beside its own address."""
        self._registrar = registrar
        self._authorizer = authorizer
        self._limits = limits
        self._allow = tuple(ipaddress.ip_network(network) for network in allow)

    async def register(self, request: pb.RegisterRequest, peer: Peer) -> pb.RegisterResponse:
        """Begin or renew a lease."""
        service = checked_name(request.service, self._limits)
        require(self._authorizer, peer, Role.REGISTER, service)
        address = dialable(own_address(checked_address(request.address), peer))
        self._check_range(address, peer)
        checked_locality(request.locality, self._limits)
        ttl = self._lease(request)
        if not self._owned(service, address, peer):
            self._check_count(peer)
        endpoint = Endpoint(
            address,
            weight=request.weight or 1,
            locality=locality_of(request.locality),
            health=self._health(request.health),
            origin=f"registered by {peer.identity.name} at {peer.address}",
        )
        self._registrar.register(Registration(service, endpoint, peer, ttl))
        return pb.RegisterResponse(address=str(address), ttl=duration(ttl), renew_after=duration(ttl / 3))

    async def withdraw(self, request: pb.WithdrawRequest, peer: Peer) -> pb.WithdrawResponse:
        """End a lease."""
        service = checked_name(request.service, self._limits)
        require(self._authorizer, peer, Role.REGISTER, service)
        address = own_address(checked_address(request.address), peer)
        existed = self._owned(service, address, peer)
        if existed:
            self._registrar.withdraw(service, address)
        return pb.WithdrawResponse(existed=existed)

    def _health(self, health: common_pb2.Health) -> Health:
        if health not in HEALTHS:
            raise InvalidRequestError(Finding("LB327", f"health {health} is not known", at="health"))
        return HEALTHS[health]

    def _lease(self, request: pb.RegisterRequest) -> float:
        ttl = seconds(request.ttl) if request.HasField("ttl") else DEFAULT_LEASE
        low, high = self._limits.lease_min, self._limits.lease_max
        if not low <= ttl <= high:
            finding = Finding("LB328", f"a lease of {ttl:g} s", at="ttl", why=f"a lease lasts {low:g} s to {high:g} s")
            raise InvalidRequestError(finding)
        return ttl

    def _check_range(self, address: Address, peer: Peer) -> None:
        """Refuse addresses that are neither the peer's own nor allowed by ``registration.allow``."""
        ip = ipaddress.ip_address(address.host)
        if address.host == _canonical(peer.host) or any(ip in network for network in self._allow):
            return
        what = f"{peer.address or 'this peer'} may not register {address}"
        do = "register the peer's own address, or add its network to registration.allow"
        raise AccessError(Finding("LB503", what, at="address", why="it is not the peer's own address", do=do))

    def _owned(self, service: str, address: Address, peer: Peer) -> bool:
        """Return whether the peer holds this registration already.

        Raises:
            AccessError: somebody else holds it (LB504).
        """
        held = self._registrar.find(service, address)
        if held is None:
            return False
        anonymous = not peer.identity.authenticated  # Then the address is all we know of the owner.
        if held.owner.identity != peer.identity or (anonymous and held.owner.host != peer.host):
            what = f'{address} of "{service}" was registered by somebody else'
            raise AccessError(Finding("LB504", what, at="address", do="wait until that lease ends"))
        return True

    def _check_count(self, peer: Peer) -> None:
        most = self._limits.registrations_per_peer
        if self._registrar.held_by(peer.host) >= most:
            what = f"{peer.host or 'this peer'} holds {most} registrations already"
            raise LimitExceededError(Finding("LB403", what, why="the limit is limits.registrationsPerPeerAddress"))


def _canonical(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""  # A Unix socket has no address of its own to register.
