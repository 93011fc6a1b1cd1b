"""Live names for the shell's Tab key: services and endpoints of the server that the environment names."""

from __future__ import annotations

import os

PATIENCE_SECONDS = 0.5
"""Longest wait of a Tab key; without an answer nothing is completed."""


def services(incomplete: str) -> list[str]:
    """Return names of services that begin with ``incomplete``."""
    from lbcontrol.app.cli.calls import Connection, services_of
    from lbcontrol.app.cli.proof import proof_here
    from lbcontrol.model.errors import LbControlError

    try:
        with Connection(_server(), timeout=PATIENCE_SECONDS, proof=proof_here()) as server:
            return [each.name for each in services_of(server) if each.name.startswith(incomplete)]
    except LbControlError:
        return []


def endpoints(ctx: object, incomplete: str) -> list[str]:
    """Return addresses of the service already typed that begin with ``incomplete``."""
    from lbcontrol.app.cli.calls import Connection, assignment_of
    from lbcontrol.app.cli.proof import proof_here
    from lbcontrol.model.errors import LbControlError

    service = getattr(ctx, "params", {}).get("service") or ""
    try:
        with Connection(_server(), timeout=PATIENCE_SECONDS, proof=proof_here()) as server:
            found = [each.address for each in assignment_of(server, service).endpoints]
    except LbControlError:
        return []
    return [address for address in found if address.startswith(incomplete)]


def _server() -> str:
    return os.environ.get("LBCONTROL_SERVER", "127.0.0.1:18000")
