"""The control plane in a Kubernetes namespace: found by its label, reached through ``kubectl port-forward``.

kubectl is the one that logs in: what it can reach, this can. Nothing here keeps a key or a token.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.interrupts import before_end
from lbcontrol.model.findings import Finding

LABEL = "app.kubernetes.io/name=lbcontrol"
"""What the Service of a control plane and its Pods bear (deploy/kubernetes/base)."""
NAMESPACE = "lbcontrol"
SERVER_PORT, ADMIN_PORT = 18000, 18001
"""Listeners of clients and of operators in the Pod; the second is on its loopback, which no Service reaches."""
PATIENCE = 20.0
"""Longest wait, in seconds, for an answer of the API server, and then until both ports are forwarded."""
END_SECONDS = 3.0
"""What kubectl is given to end before it is killed."""
LAST_SECONDS = 1.0
"""How long after a lost connection kubectl may still be there though it is what was lost."""
UNREACHABLE = "LB910"

_LOG = re.compile(r"[EWI]\d{4} ")
"""How a line begins that kubectl writes for its developers."""
_FORWARDING = re.compile(r"Forwarding from (127\.0\.0\.1:\d+) -> (\d+)")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to look, in kubectl's words."""

    namespace: str = NAMESPACE
    flags: tuple[str, ...] = ()
    """``--context`` and ``--kubeconfig``, as given."""
    patience: float = PATIENCE
    """Longest wait for kubectl, in seconds; for each of two steps."""

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of kubectl; the variable ``KUBECTL`` may name another program."""
        return [os.environ.get("KUBECTL") or "kubectl", *self.flags, f"--namespace={self.namespace}", *arguments]


class Found(NamedTuple):
    """A control plane."""

    pod: str
    service: str
    """DNS name of its Service inside Kubernetes, which its certificate has; empty without one."""


class Ports(NamedTuple):
    """Its listeners on this machine, as ``HOST:PORT``."""

    server: str
    admin: str


def find(target: Target) -> Found:
    """Return the ready control plane of the namespace; of several the first by name.

    Raises:
        CommandError: there is none (LB922), or kubectl cannot tell (LB924).
    """
    flags = ("get", "services,pods", f"--selector={LABEL}", "--output=json", f"--request-timeout={target.patience:g}s")
    items = _asked(target.command(*flags), seconds=2 * target.patience)
    pods = sorted((each for each in items if each["kind"] == "Pod"), key=_name)
    if not pods:
        raise _missing(
            target, f'no control plane in namespace "{target.namespace}"', why=f"no Pod has the label {LABEL}"
        )
    ready = [pod for pod in pods if _obstacle(pod) == ""]
    if not ready:
        what = f'no Pod of the control plane in namespace "{target.namespace}" is ready'
        raise _missing(target, what, why="; ".join(f"{_name(pod)}: {_obstacle(pod)}" for pod in pods))
    services = sorted(_name(each) for each in items if each["kind"] == "Service")
    return Found(_name(ready[0]), f"{services[0]}.{target.namespace}.svc.cluster.local" if services else "")


@contextlib.contextmanager
def forwarded(target: Target, pod: str) -> Iterator[Ports]:
    """Forward both listeners of a Pod to free ports of this machine's loopback, until the block ends.

    Raises:
        CommandError: kubectl does not forward (LB923), or ended before a block that failed did.
    """
    command = target.command("port-forward", "--address=127.0.0.1", f"pod/{pod}", f":{SERVER_PORT}", f":{ADMIN_PORT}")
    child = _Child(command)
    with before_end(child.end):
        try:
            yield child.ports(target.patience)
        except CommandError as error:
            if error.finding.code == UNREACHABLE and child.has_ended():
                raise CommandError(*child.failure().findings, *error.findings, exit_code=error.exit_code) from error
            raise


class _Child:
    """A running ``kubectl port-forward``."""

    def __init__(self, command: Sequence[str]) -> None:
        self._asking = shlex.join(command[: command.index("port-forward")])
        self._said: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, and the program is the user's own kubectl
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        except OSError as error:
            raise _unusable(command[0], str(error)) from error
        self._reader = threading.Thread(target=self._read, daemon=True)  # It also says each connection: never full.
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line.strip())
        self._lines.put(None)

    def ports(self, seconds: float) -> Ports:
        """Wait until both listeners are forwarded."""
        deadline = time.monotonic() + seconds
        known: dict[int, str] = {}
        while len(known) < len(Ports._fields):
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise self.failure(f"not forwarding after {seconds:g}s") from None
            if line is None:
                raise self.failure()
            match = _FORWARDING.match(line)
            if match:
                known[int(match[2])] = match[1]
            else:
                self._said.append(line)
        return Ports(known[SERVER_PORT], known[ADMIN_PORT])

    def has_ended(self) -> bool:
        """Whether kubectl ended by itself; given a moment, as its connections close before it is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LAST_SECONDS)
        return self._process.poll() is not None

    def failure(self, why: str = "") -> CommandError:
        """Return the error for a kubectl that does not forward, or no longer."""
        with contextlib.suppress(queue.Empty):
            while line := self._lines.get_nowait():
                self._said.append(line)
        errors = [line for line in self._said if not line.startswith("Handling connection")]
        said = "; ".join(filter(None, (why, *errors[-2:]))) or f"kubectl ended with code {self._process.poll()}"
        do = f"{self._asking} auth can-i create pods/portforward; then try again"
        return CommandError(Finding("LB923", "kubectl port-forward failed", why=said, do=do))

    def end(self) -> None:
        """End kubectl and wait for it."""
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(END_SECONDS)
        if self._process.stdout and not self._reader.is_alive():
            self._process.stdout.close()


def _asked(command: Sequence[str], *, seconds: float) -> list[Any]:
    """Return the objects that kubectl lists."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the program is the user's own kubectl
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode:
            raise _unusable(command[0], _said(done.stderr) or f"it ended with code {done.returncode}")
        return list(json.loads(done.stdout)["items"])
    except subprocess.TimeoutExpired as error:
        raise _unusable(command[0], f"no answer within {seconds:g}s") from error
    except OSError as error:
        raise _unusable(command[0], str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _unusable(command[0], f"its answer is no list of objects: {error!r}") from error


def _said(text: str) -> str:
    """Return what kubectl says for people, without the lines of its log unless there is nothing else."""
    lines = text.splitlines()
    return " ".join([line.strip() for line in lines if not _LOG.match(line)] or lines[-1:])


def _name(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["name"])


def _obstacle(pod: Mapping[str, Any]) -> str:
    """Return why a Pod is not ready; empty when it is."""
    if pod["metadata"].get("deletionTimestamp"):
        return "it is ending"
    status = pod.get("status", {})
    ready: Mapping[str, Any] = next((each for each in status.get("conditions", ()) if each["type"] == "Ready"), {})
    if ready.get("status") == "True":
        return ""
    return str(ready.get("message") or ready.get("reason") or f"phase {status.get('phase', 'Unknown')}")


def _missing(target: Target, what: str, *, why: str) -> CommandError:
    do = f"kubectl -n {target.namespace} get pods -l {LABEL}; elsewhere: --namespace or LBCONTROL_NAMESPACE"
    return CommandError(Finding("LB922", what, why=why, do=do))


def _unusable(program: str, why: str) -> CommandError:
    """Return the error for a kubectl that is missing or refused."""
    do = "install kubectl, or log in; it must be allowed to list services and pods there"
    return CommandError(Finding("LB924", f"{program} cannot tell where the control plane is", why=why, do=do))
