"""``clients``: who listens, and what they acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lookaside.api.lbcontrol.v1 import admin_service_pb2 as pb
from lookaside.api.lbcontrol.v1 import status_pb2

from lbcontrol.app.cli import words
from lbcontrol.app.cli.calls import Connection, admin_of
from lbcontrol.app.cli.messages import mark, place, plain, seconds
from lbcontrol.app.cli.options import Clients
from lbcontrol.app.cli.repeat import once_or_again
from lbcontrol.app.cli.screen import Column, Listing

COLUMNS = (
    Column("CLIENT"),
    Column("KIND"),
    Column("SERVICE"),
    Column("SENT"),
    Column("ACK"),
    Column("BEHIND"),
    Column("STREAM AGE"),
    Column("STATE"),
    Column("PROTOCOL", wide=True),
    Column("ADDRESS", wide=True),
    Column("IDENTITY", wide=True),
    Column("LOCALITY", wide=True),
    Column("CARRIER", wide=True),
)
"""A row for each service that a client follows."""
STATES = {
    status_pb2.CLIENT_STATE_CURRENT: "current",
    status_pb2.CLIENT_STATE_BEHIND: "behind",
    status_pb2.CLIENT_STATE_WAITING: "waiting for the name",
}
"""What is shown of a client that rejected nothing."""


def clients(options: Clients) -> int:
    """Print the clients."""
    with admin_of(options) as admin:
        return once_or_again(lambda: _listing(admin, options), options.output, color=options.color, watch=options.watch)


def _listing(admin: Connection, options: Clients) -> Listing:
    request = pb.ListClientsRequest(service=options.service, behind=options.behind)
    found = admin.call(request, pb.ListClientsResponse).clients
    pairs = [(client, each) for client in found for each in _shown(client, options)]
    return Listing(
        kind="ClientList",
        columns=COLUMNS,
        rows=[_row(client, each) for client, each in pairs],
        names=[client.id for client in found],
        items=[plain(client) for client in found],
        compared=[(c.id, s.service, mark(s.sent), mark(s.acknowledged), s.state) for c, s in pairs],
    )


def _shown(client: status_pb2.ClientStatus, options: Clients) -> Iterator[status_pb2.ClientSubscription]:
    """Return what was asked for; a client that follows nothing has one empty row."""
    every: Sequence[status_pb2.ClientSubscription] = client.subscriptions or [status_pb2.ClientSubscription()]
    for each in every:
        wanted = not options.behind or each.state in (status_pb2.CLIENT_STATE_BEHIND, status_pb2.CLIENT_STATE_PARKED)
        if wanted and options.service in ("", each.service):
            yield each


def _row(client: status_pb2.ClientStatus, each: status_pb2.ClientSubscription) -> list[str]:
    return [
        client.id,
        f"{client.kind} {client.version}".strip(),
        each.service or words.NOTHING,
        str(each.sent.revision) if each.HasField("sent") else words.NOTHING,
        str(each.acknowledged.revision) if each.HasField("acknowledged") else words.NOTHING,
        words.age(seconds(each.behind) if each.HasField("behind") else None),
        words.age(seconds(client.stream_age)),
        _state(client.id, each),
        client.protocol,
        client.address,
        client.identity or words.NOTHING,
        place(client.locality),
        client.carrier or words.NOTHING,
    ]


def _state(client: str, each: status_pb2.ClientSubscription) -> str:
    if each.state == status_pb2.CLIENT_STATE_PARKED:
        return f"NACK {each.rejection.code}, parked: see lbcontrol why {each.service} --client {client}"
    return STATES.get(each.state, words.NOTHING)
