"""Who may do what: the allow-all Authorizer, and the rule that says where it may not be used."""

from __future__ import annotations

import ipaddress

from lbcontrol.model.clients import Identity, Role
from lbcontrol.model.errors import AccessError
from lbcontrol.model.findings import Finding


class AllowAll:
    """Implements ``ports.Authorizer`` for loopback and for listeners that somebody called insecure."""

    description = "authorization: off, everyone may read, register, operate and inspect"
    """Printed at start."""

    def allows(self, identity: Identity, role: Role, service: str) -> bool:
        """Return True."""
        del identity, role, service
        return True


def check_exposure(
    listen: str, *, authenticated: bool, insecure: bool, encrypted: bool = False, operators: bool = False
) -> None:
    """Refuse a listener that strangers can use: plaintext and no authentication, where they can reach it.

    Args:
        listen: ``IP:PORT``, ``[IPv6]:PORT``, ``localhost:PORT`` or ``unix:PATH``.
        authenticated: Every client proves who it is.
        insecure: The operator wrote ``insecure: true``.
        encrypted: It speaks TLS.
        operators: Whoever gets in can change where traffic goes: then encryption alone protects nothing.

    Raises:
        AccessError: LB505; do not open the listener.
    """
    if authenticated or insecure or is_local(listen) or (encrypted and not operators):
        return
    how = "without authentication" if encrypted else "in plaintext without authentication"
    raise AccessError(
        Finding(
            "LB505",
            f'refusing to listen on "{listen}" {how}',
            at="listen",
            why="everyone who reaches this address could read and change where traffic goes",
            effect="nothing was started",
            do="listen on 127.0.0.1, set tls with clientCa, or write `insecure: true` where the network itself keeps"
            " strangers out",
        )
    )


def is_local(listen: str) -> bool:
    """Return whether only processes of this machine can reach the listener. Names other than localhost are not."""
    if listen.startswith("unix:"):
        return True
    host = listen.rpartition(":")[0].removeprefix("[").removesuffix("]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
