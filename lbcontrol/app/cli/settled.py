"""Waiting until the clients of a service do what they were told last."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lookaside.api.lbcontrol.v1 import admin_service_pb2 as pb
from lookaside.api.lbcontrol.v1 import status_pb2

from lbcontrol.app.cli.calls import WAIT_SECONDS, Connection
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.messages import mark
from lbcontrol.model.findings import Finding

SPACING = 0.1
"""Seconds between two looks."""
QUIET_SECONDS = 2.0
"""A client that is up to date with an older revision this long after it changed has nothing new to be told."""
LOOK = "lbcontrol clients --behind"
"""Shows who holds it up."""
SHOWN = 5
"""Names in a message that could hold thousands."""


class Settling:
    """Who has not acknowledged a revision of a service yet."""

    def __init__(self, admin: Connection, service: str, *, since: tuple[int, int]) -> None:
        """Judge against the mark ``since``, from now on."""
        self._admin = admin
        self._service = service
        self._since = since
        self._began = time.monotonic()
        self.clients = 0
        """Clients that follow the service, at the last look."""

    def missing(self) -> list[str]:
        """Look once; return who is missing, and why."""
        request = pb.ListClientsRequest(service=self._service)
        clients = self._admin.call(request, pb.ListClientsResponse).clients
        self.clients = len(clients)
        pairs = [(client, each) for client in clients for each in client.subscriptions if each.service == self._service]
        return [_said(client.id, each) for client, each in pairs if not self._is_settled(each)]

    def _is_settled(self, each: status_pb2.ClientSubscription) -> bool:
        if each.state != status_pb2.CLIENT_STATE_CURRENT:
            return False
        quiet = time.monotonic() - self._began >= QUIET_SECONDS
        return quiet or mark(each.acknowledged) >= self._since


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for."""

    subject: str
    """Endpoint or service."""
    state: str
    """What it shall be."""
    effect: str = ""
    """What holds although it took too long."""

    def __str__(self) -> str:
        return f"{self.subject} {self.state}"

    def missed(self, left: Sequence[str], *, seconds: float) -> CommandError:
        """Return the error for a wait of ``seconds`` after which ``left`` is still missing (LB912)."""
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        what = f"{self.subject} is not {self.state} after {seconds:g}s"
        finding = Finding("LB912", what, why="; ".join(left[:SHOWN]) + more, effect=self.effect, do=LOOK)
        return CommandError(finding, exit_code=Exit.TIMED_OUT)


def wait_until(missing: Callable[[], Sequence[str]], goal: Goal, *, seconds: float) -> float:
    """Look until nothing is missing; return the time it took in seconds.

    Args:
        missing: Returns what is missing.
        goal: What is waited for, for the error.
        seconds: Longest wait; 0 means ``WAIT_SECONDS``.

    Raises:
        CommandError: it took too long (LB912); says what is missing.
    """
    began = time.monotonic()
    limit = seconds or WAIT_SECONDS
    while left := missing():
        if time.monotonic() - began + SPACING > limit:
            raise goal.missed(left, seconds=limit)
        time.sleep(SPACING)
    return time.monotonic() - began


def _said(client: str, each: status_pb2.ClientSubscription) -> str:
    if each.HasField("rejection"):
        return f"{client} rejected it ({each.rejection.code})"
    known = each.acknowledged.revision if each.HasField("acknowledged") else "nothing"
    return f"{client} has acknowledged {known}"
