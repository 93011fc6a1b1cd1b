"""``drain``, ``undrain``, ``weight``: what operators change."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import typer
from google.protobuf.duration_pb2 import Duration
from lookaside.api.lbcontrol.v1 import admin_service_pb2 as pb

from lbcontrol.app.cli import words
from lbcontrol.app.cli.calls import Connection, admin_of, finding_of
from lbcontrol.app.cli.choices import Format
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import CommandError, report, usage_error, wants_color
from lbcontrol.app.cli.messages import mark, plain
from lbcontrol.app.cli.options import Drain, Undrain, Weight, Write
from lbcontrol.app.cli.screen import document_text, envelope
from lbcontrol.app.cli.settled import Goal, Settling, wait_until
from lbcontrol.model.findings import Finding
from lbcontrol.model.text import printable

ALL_CALLS = 0.9999
"""An endpoint with this share has no other beside it."""


def drain(options: Drain) -> int:
    """Stop new calls to an endpoint."""
    request = pb.DrainRequest(
        service=options.service, address=options.endpoint, reason=options.reason, dry_run=options.dry_run
    )
    if options.expires_after:
        request.expires_after.CopyFrom(_length(options.expires_after))
    with admin_of(options) as admin:
        if not options.yes and not options.dry_run:
            _ask_if_last(admin, request)
        answer = admin.call(request, pb.DrainResponse)
        waited = ""
        if options.wait and not options.dry_run:
            waited = _wait(admin, answer, options)
    word = "would drain" if options.dry_run else "draining"
    _print(options, answer.effect, plain(answer), text=f"{options.endpoint} {word}", waited=waited)
    return Exit.DONE


def undrain(options: Undrain) -> int:
    """Take a drain back."""
    request = pb.UndrainRequest(
        service=options.service, address=options.endpoint, reason=options.reason, dry_run=options.dry_run
    )
    with admin_of(options) as admin:
        answer = admin.call(request, pb.UndrainResponse)
    word = "would be undrained" if options.dry_run else "no longer drained"
    _print(options, answer.effect, plain(answer), text=f"{options.endpoint} {word}")
    return Exit.DONE


def weight(options: Weight) -> int:
    """Set a weight or take it back."""
    if (options.weight is None) is not options.clear:
        raise usage_error("give either WEIGHT or --clear", do="lbcontrol weight --help")
    request = pb.SetWeightRequest(
        service=options.service,
        address=options.endpoint,
        weight=options.weight,
        reason=options.reason,
        dry_run=options.dry_run,
    )
    if options.expires_after:
        request.expires_after.CopyFrom(_length(options.expires_after))
    with admin_of(options) as admin:
        answer = admin.call(request, pb.SetWeightResponse)
    word = "would get" if options.dry_run else "has"
    given = "its sources' weight again" if options.clear else f"weight {options.weight}"
    _print(options, answer.effect, plain(answer), text=f"{options.endpoint} {word} {given}")
    return Exit.DONE


def is_terminal() -> bool:
    """Return whether somebody is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask_if_last(admin: Connection, request: pb.DrainRequest) -> None:
    """Refuse, or ask on a terminal, before the last endpoint of a service goes.

    Raises:
        CommandError: nobody agreed (LB911).
    """
    trial = pb.DrainRequest()
    trial.CopyFrom(request)
    trial.dry_run = True
    effect = admin.call(trial, pb.DrainResponse).effect
    if effect.share_before < ALL_CALLS:
        return
    what = f"{request.address} takes all calls of {request.service}: {words.count(effect.clients, 'client')} would have"
    what += " no endpoint left"
    if is_terminal() and typer.confirm(f"{what}. Drain it?", err=True):
        return
    finding = Finding("LB911", what, effect="nothing was changed", do="add --yes, or let another endpoint serve first")
    raise CommandError(finding, exit_code=Exit.REFUSED)


def _wait(admin: Connection, answer: pb.DrainResponse, options: Drain) -> str:
    """Wait until every client has stopped, and say so."""
    settling = Settling(admin, answer.override.service, since=mark(answer.effect.mark))
    goal = Goal(options.endpoint, "drained", effect=f"the drain is in force; undo: {answer.effect.undo}")
    passed = wait_until(settling.missing, goal, seconds=options.timeout)
    stopped = f"{settling.clients} of {words.count(settling.clients, 'client')} stopped in {words.lapse(passed)}"
    return f"{stopped}. Calls in flight are not reported: let them end before you stop it"


def _print(options: Write, effect: pb.ChangeEffect, item: Mapping[str, object], *, text: str, waited: str = "") -> None:
    """Print what a change did; warnings go to stderr."""
    if options.output in (Format.JSON, Format.YAML):
        document = envelope("ChangeList", [item])
        print(document_text(document, json_form=options.output is Format.JSON))
    elif options.output is Format.NAME:
        print(text.partition(" ")[0])
    else:
        moved = f"{words.share(effect.share_before)} → {words.share(effect.share_after)} of new calls"
        told = f"{words.count(effect.clients, 'client')} {'follow' if effect.clients != 1 else 'follows'}"
        print(f"{text}: {moved}, {told}{' … ' + waited if waited else ''}. {printable(_undo(effect))}")
    report(map(finding_of, effect.warnings), color=wants_color(options.color, stderr=True))


def _undo(effect: pb.ChangeEffect) -> str:
    return "Nothing was changed." if effect.dry_run else f"Undo: {effect.undo}"


def _length(seconds: float) -> Duration:
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message
