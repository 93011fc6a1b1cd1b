"""``check``: whether anything needs a hand."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lookaside.api.lbcontrol.v1 import admin_service_pb2 as admin_pb
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as native
from lookaside.api.lbcontrol.v1 import status_pb2

from lbcontrol.app.cli import words
from lbcontrol.app.cli.calls import Connection, admin_of, finding_of, server_of
from lbcontrol.app.cli.client_env import check_client
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.messages import seconds
from lbcontrol.app.cli.options import Check
from lbcontrol.app.cli.outcomes import Outcome, print_outcomes
from lbcontrol.model.findings import Finding, Severity

BEHIND_SECONDS = 5.0
"""A client that has not acknowledged for so long is worth a look; shorter is the ordinary course of a change."""
SPACING = 1.0
"""Seconds between two tries of ``--wait``."""


def check(options: Check) -> int:
    """Print what is well and what is not."""
    began = time.monotonic()
    while True:
        outcomes = list(check_client(options.timeout) if options.client_env else _check_server(options))
        bad = any(outcome.finding for outcome in outcomes)
        if not bad or time.monotonic() - began + SPACING > options.wait:
            break
        time.sleep(SPACING)
    print_outcomes(outcomes, options.output, color=options.color)
    return Exit.FINDINGS if bad else Exit.DONE


def _check_server(options: Check) -> Iterator[Outcome]:
    version = ""
    problems: list[Outcome] = []
    with admin_of(options) as admin:
        try:
            problems, version = _problems(admin)
            problems = [*_sources(admin), *_clients(admin), *problems]
        except CommandError as error:
            problems = [Outcome("operators' listener", finding=finding) for finding in error.findings]
    yield _answers(options, version)
    yield from problems


def _answers(options: Check, version: str) -> Outcome:
    with server_of(options) as server:
        began = time.monotonic()
        try:
            server.call(native.ListServicesRequest(page_size=1), native.ListServicesResponse)
        except CommandError as error:
            return Outcome("clients' listener", finding=error.finding)
        took = f"{(time.monotonic() - began) * 1000.0:.0f} ms"
    return Outcome(f"server {options.server} answers ({', '.join(filter(None, (version, took)))})")


def _problems(admin: Connection) -> tuple[list[Outcome], str]:
    """Return what the server itself complains of, and its version."""
    answer = admin.call(admin_pb.ListProblemsRequest(), admin_pb.ListProblemsResponse)
    return [Outcome(each.subject, finding=finding_of(each.error)) for each in answer.problems], answer.server_version


def _sources(admin: Connection) -> Iterator[Outcome]:
    found = admin.call(admin_pb.ListSourcesRequest(), admin_pb.ListSourcesResponse).sources
    synced = sum(each.synced and not each.HasField("stale_for") for each in found)
    if synced == len(found):
        yield Outcome(f"{synced} of {words.count(len(found), 'source')} synced")


def _clients(admin: Connection) -> Iterator[Outcome]:
    found = admin.call(admin_pb.ListClientsRequest(), admin_pb.ListClientsResponse).clients
    late = [each for each in found if _longest_behind(each) >= BEHIND_SECONDS]
    if late:
        what = f"{len(late)} of {words.count(len(found), 'client')} behind for {BEHIND_SECONDS:g}s or more"
        do = "lbcontrol clients --behind"
        yield Outcome("clients", finding=Finding("LB914", what, do=do, severity=Severity.WARNING))
    elif not any(each.HasField("rejection") for client in found for each in client.subscriptions):
        yield Outcome(f"{words.count(len(found), 'client')}{', all acknowledged' if found else ''}")


def _longest_behind(client: status_pb2.ClientStatus) -> float:
    return max((seconds(each.behind) for each in client.subscriptions if not each.HasField("rejection")), default=0.0)
