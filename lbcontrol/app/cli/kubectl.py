"""``kubectl lbcontrol VERB …``: the same command line, for a control plane in Kubernetes, which it finds by itself.

kubectl runs a program called ``kubectl-lbcontrol`` for this, and ``kubectl_complete-lbcontrol`` for its Tab key.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from lbcontrol.app.cli import run as plain
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import prepare_process, report, usage_error
from lbcontrol.app.cli.forwarding import NAMESPACE, Target, find, forwarded
from lbcontrol.app.cli.grammar import Reach, build, invoke
from lbcontrol.app.cli.interrupts import end_on
from lbcontrol.app.cli.options import Check, Common, Remote
from lbcontrol.model.errors import LbControlError

FLAGS = ("--namespace", "-n", "--context", "--kubeconfig")
"""What stands before the verb and is kubectl's; each takes a value."""
NO_FILES, FILES = 4, 0
"""What kubectl's completion does besides: nothing, or offer files (ShellCompDirective of the library cobra)."""
TAB_SECONDS = 3.0
"""Longest wait of a Tab key for each step of kubectl; its own completion waits for the API server, too."""


def main() -> None:
    """Run the command line of this process and exit with its code."""
    prepare_process()
    end_on(signal.SIGINT, signal.SIGTERM)
    raise SystemExit(run(sys.argv[1:]))


def complete() -> None:
    """Print what the last argument may become, a line each, and then the directive, as kubectl wants it."""
    prepare_process()
    end_on(signal.SIGINT, signal.SIGTERM)
    found = candidates(sys.argv[1:])
    print("\n".join([*found, f":{NO_FILES if found else FILES}"]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code (``exits``)."""
    try:
        target, rest = split(arguments)
    except LbControlError as error:
        report(error.findings, color=False)
        return int(Exit.USAGE)

    if rest == ["--version"]:
        return plain(rest)
    return invoke(rest, _reach(target, rest))


def candidates(arguments: Sequence[str]) -> list[str]:
    """Return what ``lbcontrol`` would complete the last argument to; live names come by a forwarded port."""
    try:
        target, rest = split(arguments)
    except LbControlError:
        return []
    words = shlex.join(["lbcontrol", *rest])
    os.environ.update(_LBCONTROL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(rest)))
    reach = _reach(dataclasses.replace(target, patience=TAB_SECONDS), rest)
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        build()([], prog_name="lbcontrol", obj=reach)
    return printed.getvalue().split()


def _reach(target: Target, line: Sequence[str]) -> Reach:
    """Return what forwards the listeners that ``line`` does not name, while a verb asks them."""
    told = {flag for flag in ("server", "admin") if _is_told(flag, line)}

    @contextlib.contextmanager
    def reach(given: Common) -> Iterator[Common]:
        is_local = isinstance(given, Check) and given.client_env
        if not isinstance(given, Remote) or is_local or len(told) == 2:
            yield given
            return
        place = find(target)
        with forwarded(target, place.pod) as ports:
            found: dict[str, Any] = {flag: address for flag, address in ports._asdict().items() if flag not in told}
            found["admin_plaintext"] = given.admin_plaintext or "admin" not in told  # On the Pod's loopback.
            if given.tls_ca or given.tls_cert:  # The certificate has the name of the Service, not of this machine.
                found["tls_server_name"] = given.tls_server_name or place.service
            yield dataclasses.replace(given, **found)

    return reach


def split(arguments: Sequence[str]) -> tuple[Target, list[str]]:
    """Take kubectl's flags off what stands before the verb.

    Raises:
        CommandError: a flag without its value (LB918).
    """
    namespace = os.environ.get("LBCONTROL_NAMESPACE") or NAMESPACE
    flags: list[str] = []
    rest = list(arguments)
    while rest and rest[0].partition("=")[0] in FLAGS:
        name, equals, value = rest.pop(0).partition("=")
        if not equals and rest:
            value = rest.pop(0)
        if not value:
            raise usage_error(f"{name} needs a value", do="kubectl lbcontrol --namespace NAMESPACE VERB")
        if name in ("--namespace", "-n"):
            namespace = value
        else:
            flags.append(f"{name}={value}")
    return Target(namespace, tuple(flags)), rest


def _is_told(flag: str, arguments: Sequence[str]) -> bool:
    """Whether an address was given, by flag or by variable."""
    given = any(each.partition("=")[0] == f"--{flag}" for each in arguments)
    return given or bool(os.environ.get(f"LBCONTROL_{flag.upper()}"))
