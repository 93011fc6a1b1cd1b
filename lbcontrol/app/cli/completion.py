"""Live names for the shell's Tab key: services and endpoints of the server that the line, or the environment, names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lbcontrol.app.cli.calls import Connection

PATIENCE_SECONDS = 0.5
"""Longest wait of a Tab key for an answer; without one nothing is completed."""


def services(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of services that begin with ``incomplete``."""
    from lbcontrol.app.cli.calls import services_of

    return _beginning(incomplete, ctx, lambda server: [each.name for each in services_of(server)])


def endpoints(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return addresses of the service already typed that begin with ``incomplete``."""
    from lbcontrol.app.cli.calls import assignment_of

    service = ctx.params.get("service") or ""
    return _beginning(
        incomplete, ctx, lambda server: [each.address for each in assignment_of(server, service).endpoints]
    )


def _beginning(incomplete: str, ctx: typer.Context, ask: Callable[[Connection], list[str]]) -> list[str]:
    from lbcontrol.model.errors import LbControlError

    try:
        with _server(ctx) as server:
            return [name for name in ask(server) if name.startswith(incomplete)]
    except LbControlError:
        return []


@contextlib.contextmanager
def _server(ctx: typer.Context) -> Iterator[Connection]:
    """Connect to the server that the verb would ask; ``obj`` of the context, if any, reaches it (``grammar.Reach``)."""
    from lbcontrol.app.cli.calls import server_of
    from lbcontrol.app.cli.options import remote_of

    reach = ctx.obj or contextlib.nullcontext
    with reach(remote_of(ctx.params, timeout=PATIENCE_SECONDS)) as reached, server_of(reached) as server:
        yield server
