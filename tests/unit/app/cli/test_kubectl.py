"""``kubectl lbcontrol``: what it takes off the line, what it asks kubectl, what it says when that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lbcontrol import __version__
from lbcontrol.app.cli import forwarding, kubectl
from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.forwarding import Target
from tests.support.kubectl_stub import pod, write_stub

SERVICE = {"kind": "Service", "metadata": {"name": "lbcontrol"}}
POD = "lbcontrol-7d4f"


class Stub:
    """What the stub is told, and what it was asked."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._log, self._monkeypatch = home / "kubectl.log", monkeypatch
        monkeypatch.setenv("KUBECTL", str(write_stub(home)))
        for name in ("LBCONTROL_SERVER", "LBCONTROL_ADMIN", "LBCONTROL_NAMESPACE"):
            monkeypatch.delenv(name, raising=False)
        self.tell(items=[SERVICE, pod(POD)])

    def tell(self, **told: Any) -> None:
        """Say what it does from now on."""
        self._monkeypatch.setenv("KUBECTL_STUB", json.dumps({"log": str(self._log), **told}))

    def asked(self) -> list[list[str]]:
        """Return its command lines so far."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [json.loads(line)[1:] for line in lines]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """A kubectl that finds a ready control plane."""
    return Stub(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("line", "target", "rest"),
    [
        ([], Target("lbcontrol"), []),
        (["-n", "lb", "get", "-n"], Target("lb"), ["get", "-n"]),
        (["--context=x", "--kubeconfig", "f", "why"], Target(flags=("--context=x", "--kubeconfig=f")), ["why"]),
        (["--namespace=lb", "check", "--context", "x"], Target("lb"), ["check", "--context", "x"]),
    ],
)
def test_kubectls_flags_stand_before_the_verb(line: list[str], target: Target, rest: list[str]) -> None:
    """What follows the verb is the verb's."""
    assert kubectl.split(line) == (target, rest)


def test_namespace_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag ranks above it."""
    monkeypatch.setenv("LBCONTROL_NAMESPACE", "mine")
    assert kubectl.split(["check"])[0].namespace == "mine"
    assert kubectl.split(["-n", "lb", "check"])[0].namespace == "lb"


def test_flag_without_value_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Said in the shape of all errors."""
    assert kubectl.run(["--namespace"]) == 2
    assert "error LB918: --namespace needs a value" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["--version"], 0),
        (["-n", "lb", "--version"], 0),
        (["help", "LB922"], 0),
        (["schema"], 0),
        (["bootstrap"], 0),
        (["check", "--help"], 0),
        (["check", "--no-such-flag"], 2),
        (["no-such-verb"], 2),
        ([], 2),
    ],
)
def test_what_needs_no_server_starts_no_kubectl(stub: Stub, line: list[str], code: int) -> None:
    """Nor does a line that cannot be understood."""
    assert kubectl.run(line) == code
    assert stub.asked() == []


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The same as of ``lbcontrol``."""
    kubectl.run(["--version"])
    assert capsys.readouterr().out == f"lbcontrol {__version__}\n"


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], 'LB922: no control plane in namespace "lb"'),
        ([SERVICE], "no Pod has the label app.kubernetes.io/name=lbcontrol"),
        ([SERVICE, pod(POD, ready=False, message="probe fails")], f"{POD}: probe fails"),
        ([{"kind": "Pod", "metadata": {"name": POD}, "status": {"phase": "Pending"}}], f"{POD}: phase Pending"),
        ([{"kind": "Pod", "metadata": {"name": POD, "deletionTimestamp": "now"}}], f"{POD}: it is ending"),
    ],
)
def test_no_ready_control_plane(stub: Stub, items: list[Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what there is instead, and nothing is forwarded."""
    stub.tell(items=items)
    assert kubectl.run(["-n", "lb", "services"]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "error LB922" in told
    (asked,) = stub.asked()
    assert asked[0] == "--namespace=lb"


def test_first_ready_pod_is_taken(stub: Stub) -> None:
    """With the name that the certificate of its Service has."""
    stub.tell(items=[pod("c"), pod("a", ready=False), pod("b"), SERVICE])
    assert forwarding.find(Target("lb")) == ("b", "lbcontrol.lb.svc.cluster.local")


@pytest.mark.parametrize(
    ("verb", "code", "said"),
    [("get", "LB924", 'pods is forbidden: User "dev"'), ("port-forward", "LB923", "error: unable to upgrade")],
)
def test_kubectl_refuses(stub: Stub, verb: str, code: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own words are the reason."""
    stub.tell(items=[SERVICE, pod(POD)], fails={verb: said})
    assert kubectl.run(["services"]) == 1
    told = capsys.readouterr().err
    assert f"error {code}: " in told
    assert said in told


def test_kubectl_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """LB924, at either call."""
    monkeypatch.setenv("KUBECTL", "/nowhere/kubectl")
    with pytest.raises(CommandError) as asked:
        forwarding.find(Target())
    with pytest.raises(CommandError) as forwarded, forwarding.forwarded(Target(), POD):
        pass
    assert [each.value.finding.code for each in (asked, forwarded)] == ["LB924", "LB924"]


def test_log_of_kubectl_is_left_out(stub: Stub) -> None:
    """Unless it is all that kubectl says."""
    log = "E1125 09:37:03.034829 24722 memcache.go:265] no route"
    for said, why in ((f"{log}\n{log}\nThe connection was refused", "The connection was refused"), (log, log)):
        stub.tell(fails={"get": said})
        with pytest.raises(CommandError) as caught:
            forwarding.find(Target())
        assert caught.value.finding.why == why


def test_kubectl_that_says_nonsense(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    """An answer that is no list is an error like any other."""
    stub.tell(items=None)
    assert kubectl.run(["services"]) == 1
    assert "LB924" in capsys.readouterr().err


def test_forwarding_is_bounded(stub: Stub) -> None:
    """A kubectl that says nothing is ended after the bound."""
    stub.tell(ports={})
    with pytest.raises(CommandError) as caught, forwarding.forwarded(Target(patience=0.2), POD):
        pass
    assert caught.value.findings[0].code == "LB923"
    assert caught.value.findings[0].why == "not forwarding after 0.2s"


@pytest.mark.parametrize(
    ("line", "found"),
    [(["dr"], ["drain"]), (["-n", "lb", "dr"], ["drain"]), (["drain", "cart", "--rea"], ["--reason"]), (["-n"], [])],
)
def test_completion_is_that_of_lbcontrol(line: list[str], found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags of kubectl are taken off first."""
    for name in ("_LBCONTROL_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        monkeypatch.setenv(name, "")
    assert kubectl.candidates(line) == found
