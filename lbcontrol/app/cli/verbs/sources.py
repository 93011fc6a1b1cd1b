"""``sources``: where endpoints come from, and whether that works."""

from __future__ import annotations

import time

from lookaside.api.lbcontrol.v1 import admin_service_pb2 as pb
from lookaside.api.lbcontrol.v1 import status_pb2

from lbcontrol.app.cli import words
from lbcontrol.app.cli.calls import Connection, admin_of
from lbcontrol.app.cli.messages import plain, seconds
from lbcontrol.app.cli.options import Sources
from lbcontrol.app.cli.repeat import once_or_again
from lbcontrol.app.cli.screen import Column, Listing

wall = time.time
"""Unix seconds; a test stops it."""
COLUMNS = (
    Column("SOURCE"),
    Column("TYPE"),
    Column("STATE"),
    Column("SERVICES"),
    Column("ENDPOINTS"),
    Column("LAST EVENT"),
    Column("PROBLEMS"),
    Column("WHAT", wide=True),
)
"""Of a source."""


def sources(options: Sources) -> int:
    """Print the sources."""
    with admin_of(options) as admin:
        return once_or_again(lambda: _listing(admin), options.output, color=options.color, watch=options.watch)


def _listing(admin: Connection) -> Listing:
    found = admin.call(pb.ListSourcesRequest(), pb.ListSourcesResponse).sources
    return Listing(
        kind="SourceList",
        columns=COLUMNS,
        rows=[_row(each) for each in found],
        names=[each.name for each in found],
        items=[plain(each) for each in found],
        compared=[
            (e.name, e.up, e.synced, e.complete, e.services, e.endpoints, [f.code for f in e.findings]) for e in found
        ],
    )


def _row(each: status_pb2.SourceStatus) -> list[str]:
    last = each.last_event_at.ToNanoseconds() / 1e9 if each.HasField("last_event_at") else None
    return [
        each.name,
        each.type,
        state(each),
        str(each.services),
        str(each.endpoints),
        words.NOTHING if last is None else f"{words.age(max(0.0, wall() - last))} ago",
        ", ".join(dict.fromkeys(finding.code for finding in each.findings)) or words.NOTHING,
        "; ".join(finding.what for finding in each.findings) or words.NOTHING,
    ]


def state(each: status_pb2.SourceStatus) -> str:
    """Return how a source is: synced, synced in part, not read yet, or stale."""
    if each.HasField("stale_for"):
        return f"▲ stale for {words.age(seconds(each.stale_for))}"
    if not each.synced:
        return "? not read yet"
    return "● synced" if each.complete else "◐ synced in part"
