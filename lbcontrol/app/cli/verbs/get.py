"""``get``: who gets which share of a service's calls."""

from __future__ import annotations

from lookaside.api.lbcontrol.v1 import admin_service_pb2 as admin
from lookaside.api.lbcontrol.v1 import assignment_pb2, status_pb2

from lbcontrol.app.cli import words
from lbcontrol.app.cli.calls import Connection, admin_of, assignment_of, server_of
from lbcontrol.app.cli.choices import Format
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.messages import HEALTHY, health, mark, place, plain, shares
from lbcontrol.app.cli.options import Get
from lbcontrol.app.cli.repeat import once_or_again
from lbcontrol.app.cli.screen import Column, Listing, show

COLUMNS = tuple(map(Column, ("ENDPOINT", "HEALTH", "WEIGHT", "SHARE", "LOCALITY", "PRIORITY")))
"""Of an assignment."""
SENT_COLUMNS = (*COLUMNS, Column("SENT AS"), Column("ACKNOWLEDGED"))
"""Of what one client was told."""


def get(options: Get) -> int:
    """Print an assignment, what one client was told, or with ``-o yaml`` the service's documents."""
    if options.as_:
        with admin_of(options) as connection:
            return once_or_again(
                lambda: _told(connection, options), options.output, color=options.color, watch=options.watch
            )
    if options.output is Format.YAML:
        return _documents(options)
    if options.watch:
        from lbcontrol.app.cli.verbs.watch import follow

        return follow(options, options.service, output=options.output)
    with server_of(options) as connection:
        show(listing_of(assignment_of(connection, options.service)), options.output, color=options.color)
    return Exit.DONE


def listing_of(assignment: assignment_pb2.Assignment) -> Listing:
    """Return an assignment, ready to print."""
    return Listing(
        kind="AssignmentList",
        columns=COLUMNS,
        rows=rows_of(assignment),
        names=[each.address for each in assignment.endpoints],
        items=[plain(assignment)],
    )


def rows_of(assignment: assignment_pb2.Assignment) -> list[list[str]]:
    """Return a row for each endpoint of an assignment."""
    parts = shares(assignment.endpoints)
    return [
        [
            each.address,
            health(each.health),
            str(each.weight) if each.health in HEALTHY else words.NOTHING,
            words.share(parts.get(each.address, 0.0)),
            place(each.locality),
            str(each.priority),
        ]
        for each in assignment.endpoints
    ]


def _documents(options: Get) -> int:
    with admin_of(options) as connection:
        answer = connection.call(admin.GetServiceRequest(service=options.service), admin.GetServiceResponse)
    print(answer.yaml, end="" if answer.yaml.endswith("\n") else "\n")
    return Exit.DONE


def _told(connection: Connection, options: Get) -> Listing:
    request = admin.GetClientRequest(client_id=options.as_, service=options.service)
    answer = connection.call(request, admin.GetClientResponse)
    pairs = [(sent, each) for sent in answer.services for each in sent.endpoints]
    return Listing(
        kind="SentServiceList",
        columns=SENT_COLUMNS,
        rows=[_sent_row(sent.subscription, each) for sent, each in pairs],
        names=[each.address for _, each in pairs],
        items=[{"client": answer.client.id, **plain(sent)} for sent in answer.services],
        compared=[(mark(s.subscription.sent), mark(s.subscription.acknowledged)) for s in answer.services],
    )


def _sent_row(subscription: status_pb2.ClientSubscription, each: status_pb2.SentEndpoint) -> list[str]:
    known = subscription.HasField("acknowledged")
    return [
        each.address,
        health(each.health),
        str(each.weight) if each.weight else words.NOTHING,
        words.share(each.share),
        place(each.locality),
        str(each.priority),
        each.sent_as or words.NOTHING,
        str(subscription.acknowledged.revision) if known else words.NOTHING,
    ]
