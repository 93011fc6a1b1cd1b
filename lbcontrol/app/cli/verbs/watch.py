"""``watch``: follow a service, or wait for something to become true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from lookaside.api.lbcontrol.v1 import assignment_pb2
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.app.cli import words
from lbcontrol.app.cli.calls import WAIT_SECONDS, Connection, admin_of, assignment_of, finding_of, server_of
from lbcontrol.app.cli.choices import Format, Until
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import CommandError, say
from lbcontrol.app.cli.messages import HEALTHY, health, mark, plain
from lbcontrol.app.cli.options import Remote, Watch
from lbcontrol.app.cli.screen import document_text, envelope
from lbcontrol.app.cli.settled import Goal, Settling, wait_until
from lbcontrol.app.cli.verbs.get import COLUMNS, rows_of
from lbcontrol.model.text import printable

Rows = dict[str, list[str]]
"""Rows of an assignment by address."""

TITLES = ("TIME", "REVISION", *(column.title for column in COLUMNS))
"""Of the changes."""


def watch(options: Watch) -> int:
    """Print changes until interrupted, or wait for ``--until``."""
    if options.until is None:
        return follow(options, options.service, endpoint=options.endpoint, output=options.output)
    goal = Goal(options.endpoint or options.service, options.until)
    wait = _wait_healthy if options.until is Until.HEALTHY else _wait_settled
    say(f"{goal} after {words.lapse(wait(options, goal))}")
    return Exit.DONE


def follow(options: Remote, service: str, *, output: Format, endpoint: str = "") -> int:
    """Print a service's endpoints, then each change of one of them, until interrupted or ``--timeout`` is over."""
    printer = Printer(output)
    with server_of(options) as server:
        for news in _until_late(server, service, seconds=options.timeout or None):
            if news.HasField("unknown"):
                raise CommandError(finding_of(news.unknown.error), exit_code=Exit.NOT_FOUND)
            printer.take(_only(news.assignment, endpoint))
    return Exit.DONE


class Printer:
    """Prints assignments as they come: tables by the row that changed, documents whole."""

    def __init__(self, form: Format) -> None:
        """Print nothing yet."""
        self._form = form
        self._before: Rows = {}
        self._widths: list[int] = []

    def take(self, assignment: assignment_pb2.Assignment) -> None:
        """Print what is new in this assignment."""
        rows = {row[0]: row for row in rows_of(assignment)}
        changed = [row for address, row in rows.items() if self._before.get(address) != row]
        changed += [[address, "removed", *[words.NOTHING] * 4] for address in self._before if address not in rows]
        self._before = rows
        if self._form in (Format.TABLE, Format.WIDE):
            self._print_rows(changed, assignment.mark.revision)
        elif self._form is Format.NAME:
            print(*(row[0] for row in changed), sep="\n", flush=True)
        else:
            document = envelope("AssignmentList", [plain(assignment)])
            print(document_text(document, json_form=self._form is Format.JSON, line=True), flush=True)

    def _print_rows(self, changed: Sequence[Sequence[str]], revision: int) -> None:
        time_of_day = datetime.now().astimezone().strftime("%H:%M:%S")
        rows = [[time_of_day, str(revision), *map(printable, row)] for row in changed]
        if not self._widths:
            rows.insert(0, list(TITLES))
            self._widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, self._widths, strict=True))
            print("   ".join(cells).rstrip(), flush=True)


def _only(assignment: assignment_pb2.Assignment, endpoint: str) -> assignment_pb2.Assignment:
    """Return the assignment with one endpoint alone, or whole."""
    if not endpoint:
        return assignment
    kept = assignment_pb2.Assignment()
    kept.CopyFrom(assignment)
    del kept.endpoints[:]
    kept.endpoints.extend(each for each in assignment.endpoints if each.address == endpoint)
    return kept


def _wait_healthy(options: Watch, goal: Goal) -> float:
    """Wait until every endpoint takes new calls."""
    began = time.monotonic()
    left = ["nobody serves it yet"]
    with server_of(options) as server:
        for news in _until_late(server, options.service, seconds=options.timeout or WAIT_SECONDS):
            left = _unhealthy(news, options.endpoint)
            if not left:
                return time.monotonic() - began
    raise goal.missed(left, seconds=options.timeout or WAIT_SECONDS)


def _until_late(server: Connection, service: str, *, seconds: float | None) -> Iterator[pb.WatchAssignmentsResponse]:
    """Follow the service until the time is over."""
    try:
        yield from server.watch(pb.WatchAssignmentsRequest(subscribe=[service]), seconds=seconds)
    except CommandError as error:
        if error.exit_code is not Exit.TIMED_OUT:
            raise


def _unhealthy(news: pb.WatchAssignmentsResponse, endpoint: str) -> list[str]:
    if news.HasField("unknown"):
        return [news.unknown.error.what]
    looked_at = _only(news.assignment, endpoint).endpoints
    if not looked_at:
        return [f"{endpoint} is not in the list" if endpoint else "no endpoint serves"]
    return [f"{each.address} is {health(each.health)}" for each in looked_at if each.health not in HEALTHY]


def _wait_settled(options: Watch, goal: Goal) -> float:
    """Wait until every client follows the newest list, which for ``drained`` must not send new calls there."""
    with server_of(options) as server, admin_of(options) as admin:
        newest = assignment_of(server, options.service)
        settling = Settling(admin, newest.service, since=mark(newest.mark))
        missing: Callable[[], Sequence[str]] = settling.missing
        if options.until is Until.DRAINED and options.endpoint:
            missing = Draining(server, admin, service=newest.service, endpoint=options.endpoint).missing
        return wait_until(missing, goal, seconds=options.timeout)


class Draining:
    """Who may still send new calls to an endpoint."""

    def __init__(self, server: Connection, admin: Connection, *, service: str, endpoint: str) -> None:
        """Look at ``endpoint`` of ``service``."""
        self._server = server
        self._admin = admin
        self._service = service
        self._endpoint = endpoint
        self._settling: Settling | None = None

    def missing(self) -> list[str]:
        """Look once: first the list must be without it, then every client must have that list."""
        newest = assignment_of(self._server, self._service)
        if any(each.address == self._endpoint and each.health in HEALTHY for each in newest.endpoints):
            self._settling = None
            return [f"{self._endpoint} takes new calls"]
        if self._settling is None:
            self._settling = Settling(self._admin, self._service, since=mark(newest.mark))
        return self._settling.missing()
