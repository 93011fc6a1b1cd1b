"""``services``: list the services."""

from __future__ import annotations

from collections.abc import Sequence

from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.app.cli import words
from lbcontrol.app.cli.calls import server_of, services_of
from lbcontrol.app.cli.messages import mark, plain, seconds
from lbcontrol.app.cli.options import Services
from lbcontrol.app.cli.repeat import once_or_again
from lbcontrol.app.cli.screen import Column, Listing

COLUMNS = (
    Column("NAME"),
    Column("ENDPOINTS"),
    Column("CLIENTS"),
    Column("RPS"),
    Column("ERR %"),
    Column("P99"),
    Column("LOAD MAX/MEAN"),
    Column("CHANGE→ACK P99"),
    Column("REVISION"),
    Column("AGE"),
    Column("ALIASES", wide=True),
    Column("STALE SOURCES", wide=True),
)
"""Load and latency columns show ``-`` until something reports them."""


def services(options: Services) -> int:
    """Print the services."""
    with server_of(options) as server:
        return once_or_again(
            lambda: _listing(list(services_of(server))), options.output, color=options.color, watch=options.watch
        )


def _listing(found: Sequence[pb.ServiceSummary]) -> Listing:
    return Listing(
        kind="ServiceList",
        columns=COLUMNS,
        rows=[_row(each) for each in found],
        names=[each.name for each in found],
        items=[plain(each) for each in found],
        compared=[(e.name, mark(e.mark), e.serving, e.endpoints, e.clients, list(e.stale_sources)) for e in found],
    )


def _row(each: pb.ServiceSummary) -> list[str]:
    return [
        each.name,
        f"{each.serving}/{each.endpoints} {_state(each)}",
        str(each.clients),
        *[words.NOTHING] * 5,
        str(each.mark.revision),
        words.age(seconds(each.age) if each.HasField("age") else None),
        ", ".join(each.aliases) or words.NOTHING,
        ", ".join(each.stale_sources) or words.NOTHING,
    ]


def _state(each: pb.ServiceSummary) -> str:
    """Return all serving, some not, or none."""
    if not each.serving:
        return "✕"
    return "●" if each.serving == each.endpoints else f"◐{each.endpoints - each.serving}"
