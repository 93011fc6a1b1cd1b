"""The verbs, and how a line becomes a call of one.

One line in ``VERBS`` is one verb; the function it names is imported when the verb runs.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import traceback
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields

import typer

from lbcontrol.app.cli import options
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import exit_of, report, usage_error, wants_color
from lbcontrol.app.cli.guesses import with_guess
from lbcontrol.app.cli.options import Common
from lbcontrol.model.errors import LbControlError

HOME = "lbcontrol.app.cli.verbs."
"""Package of the verbs."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb."""

    name: str
    options: type[Common]
    place: str
    """``module:function`` below ``HOME``; the function takes an instance of ``options`` and returns the exit code."""
    help: str


VERBS = (
    Verb("serve", options.Serve, "serve:serve", "Run the control plane."),
    Verb("validate", options.Validate, "validate:validate", "Check files without a server; prints every finding."),
    Verb("schema", options.Schema, "validate:schema", "Print the JSON Schema of the files."),
    Verb("services", options.Services, "services:services", "List the services."),
    Verb("get", options.Get, "get:get", "Show who gets which share of a service's calls."),
    Verb("watch", options.Watch, "watch:watch", "Follow a service, or wait for something to become true."),
    Verb("why", options.Why, "why:why", "Say why an endpoint has its weight."),
    Verb("drain", options.Drain, "writes:drain", "Stop new calls to an endpoint; calls in flight end in peace."),
    Verb("undrain", options.Undrain, "writes:undrain", "Take a drain back."),
    Verb("weight", options.Weight, "writes:weight", "Set an endpoint's weight, or take that back."),
    Verb("bootstrap", options.Bootstrap, "bootstrap:bootstrap", "Print what a client needs to find this server."),
    Verb("clients", options.Clients, "clients:clients", "List the connected clients and what they acknowledged."),
    Verb("sources", options.Sources, "sources:sources", "List where endpoints come from, and whether that works."),
    Verb("check", options.Check, "check:check", "Say whether anything needs a hand."),
    Verb("demo", options.Demo, "demo:demo", "Run a control plane, backends and a client here, to break and to watch."),
    Verb("help", options.Help, "help:help_", "Explain an error code or a verb."),
)
"""Every verb, in the order of the help."""


Reach = Callable[[Common], contextlib.AbstractContextManager[Common]]
"""Runs around a verb: gets its options, hands on those with which it runs."""


def build(reach: Reach = contextlib.nullcontext) -> typer.Typer:
    """Return the command line as typer knows it; ``reach`` runs around each verb."""
    app = typer.Typer(name="lbcontrol", rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(_root)
    for verb in VERBS:
        app.command(verb.name, help=verb.help)(_command(verb, reach))
    return app


def invoke(arguments: Sequence[str], reach: Reach = contextlib.nullcontext) -> int:
    """Run one command line; usage errors get the shape of every other error. ``reach`` runs around its verb."""
    if not arguments:
        with contextlib.redirect_stdout(sys.stderr):
            invoke(["--help"])
        return int(Exit.USAGE)
    try:
        code = build(reach)(list(arguments), prog_name="lbcontrol", standalone_mode=False)
    except typer.TyperException as error:
        do = next((f"lbcontrol {verb.name} --help" for verb in VERBS if verb.name == arguments[0]), "lbcontrol --help")
        what = error.format_message().rstrip(".").replace("Value error, ", "", 1)  # typer's own word for any refusal
        report(usage_error(what, do=do).findings, color=False)
        return int(Exit.USAGE)
    except typer.Abort:
        return int(Exit.INTERRUPTED)
    return int(code or 0)


def _root(
    version: typing.Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,  # noqa: FBT002 - typer reads a flag from such a parameter
) -> None:
    """Lookaside load balancer for gRPC: tells clients whom to dial with which weight."""
    if version:
        from lbcontrol import __version__

        print(f"lbcontrol {__version__}")
        raise typer.Exit


def _command(verb: Verb, reach: Reach) -> Callable[..., None]:
    """Return a function whose signature typer reads: one parameter for each field of the verb's options."""

    def command(**values: typing.Any) -> None:
        raise typer.Exit(int(_run(verb, verb.options(**values), reach)))

    command.__signature__ = inspect.Signature(_parameters(verb.options))  # type: ignore[attr-defined] # typing does not know it
    command.__annotations__ = {}
    command.__name__ = verb.name
    return command


def _parameters(kind: type[Common]) -> list[inspect.Parameter]:
    """Return the fields as parameters: what is the verb's own first, what all share last."""
    hints = typing.get_type_hints(kind, include_extras=True)
    depth = {name: place for place, base in enumerate(reversed(kind.__mro__)) for name in inspect.get_annotations(base)}
    ordered = sorted(fields(kind), key=lambda each: -depth[each.name])
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in ordered
    ]


def _run(verb: Verb, given: Common, reach: Reach) -> int:
    module, _, function = verb.place.partition(":")
    try:
        with reach(given) as reached:
            try:
                return int(getattr(importlib.import_module(HOME + module), function)(reached))
            except LbControlError as error:
                error.findings = tuple(with_guess(error.findings, reached))  # Asks the server while it is reached.
                raise
    except LbControlError as error:
        report(error.findings, color=wants_color(given.color, stderr=True))
        if given.debug:
            traceback.print_exc()
        return exit_of(error)
