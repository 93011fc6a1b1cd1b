"""``kubectl lbcontrol`` as installed, with a stub kubectl that forwards to a real control plane on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.kubectl_stub import pod, write_stub
from tests.support.pki import Authority
from tests.support.tls_plane import ServicePlane

PROGRAM = str(Path(sys.executable).with_name("kubectl-lbcontrol"))
COMPLETER = str(Path(sys.executable).with_name("kubectl_complete-lbcontrol"))
ADDRESS = "10.0.0.1:50051"
NAME = "lbcontrol.lb.svc.cluster.local"
PATIENCE = 60.0


class Operator:
    """Somebody with kubectl."""

    def __init__(self, home: Path, plane: ControlPlane, **told: Any) -> None:
        self.log = home / "kubectl.log"
        ports = {"18000": int(plane.grpc.rpartition(":")[2]), "18001": int(plane.admin.rpartition(":")[2])}
        items = [{"kind": "Service", "metadata": {"name": "lbcontrol"}}, pod("lbcontrol-1")]
        stub = {"log": str(self.log), "items": items, "ports": ports, **told}
        dropped = ("LBCONTROL_SERVER", "LBCONTROL_ADMIN", "LBCONTROL_NAMESPACE", "LBCONTROL_TLS_CA")
        self.env = {name: value for name, value in os.environ.items() if name not in dropped}
        self.env |= {"KUBECTL": str(write_stub(home)), "KUBECTL_STUB": json.dumps(stub)}

    def run(self, *line: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        command = [PROGRAM, *line]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def forwarders(self) -> list[int]:
        """Return the processes that forwarded so far."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return [line[0] for line in lines if "port-forward" in line]


def is_alive(process: int) -> bool:
    """Whether a process is there."""
    return Path(f"/proc/{process}").exists()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with one service."""
    made = ControlPlane(tmp_path_factory.mktemp("plane"))
    try:
        made.start({"cart.yaml": services_yaml("cart", {ADDRESS: 1, "10.0.0.2:50051": 1})})
        yield made
    finally:
        made.kill9()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom operators believe."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def service_plane(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[ServicePlane]:
    """The same as in the overlay ``production``: its certificate has the name of its Service in ``lb`` alone."""
    made = ServicePlane(tmp_path_factory.mktemp("service-plane"), authority.issue("service", f"DNS:{NAME}"))
    try:
        made.start({"cart.yaml": services_yaml("cart", {ADDRESS: 1, "10.0.0.2:50051": 1})})
        yield made
    finally:
        made.kill9()


def test_verbs_reach_both_listeners(tmp_path: Path, plane: ControlPlane) -> None:
    """Reading by the clients' listener and writing by the operators', and no kubectl is left behind."""
    operator = Operator(tmp_path, plane)
    listed = operator.run("services", "-o", "json")
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout)["items"][0]["name"] == "cart"
    drained = operator.run("-n", "lb", "drain", "cart", ADDRESS, "--reason", "test")
    assert drained.returncode == 0, drained.stderr
    assert operator.run("undrain", "cart", ADDRESS).returncode == 0
    assert len(operator.forwarders()) == 3
    assert not any(is_alive(each) for each in operator.forwarders())


def test_exit_code_is_the_verbs(tmp_path: Path, plane: ControlPlane) -> None:
    """An unknown service is not found, and the forwarded server is asked what may have been meant."""
    done = Operator(tmp_path, plane).run("get", "carts")
    assert (done.returncode, "error LB310" in done.stderr) == (3, True), done.stderr
    assert 'did you mean "cart"?' in done.stderr


def test_given_addresses_need_no_kubectl(tmp_path: Path, plane: ControlPlane) -> None:
    """With both of them nothing is looked for; with one of them the other is forwarded."""
    operator = Operator(tmp_path, plane)
    assert operator.run("services", "--server", plane.grpc, f"--admin={plane.admin}").returncode == 0
    assert not operator.log.exists()
    assert operator.run("check", "--server", plane.grpc).returncode in (0, 4)
    assert len(operator.forwarders()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_command_leaves_no_kubectl(tmp_path: Path, plane: ControlPlane, number: int) -> None:
    """A signal to the command alone ends its child too."""
    operator = Operator(tmp_path, plane)
    command = [PROGRAM, "watch", "cart"]
    with subprocess.Popen(command, env=operator.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline()  # It is connected.
        running.send_signal(number)
        running.communicate(timeout=PATIENCE)
        assert running.returncode in (130, 143)
    (child,) = operator.forwarders()
    assert not is_alive(child)


def test_kubectl_that_dies_is_named(tmp_path: Path, plane: ControlPlane) -> None:
    """A verb that broke off because the forwarding did says so first."""
    operator = Operator(tmp_path, plane)
    command = [PROGRAM, "watch", "cart"]
    with subprocess.Popen(command, env=operator.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline()
        os.kill(operator.forwarders()[0], signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        _, said = running.communicate(timeout=deadline - time.monotonic())
    assert running.returncode == 1, said
    assert b"error LB923" in said


def test_certificate_with_the_name_of_the_service_is_believed(
    tmp_path: Path, plane: ControlPlane, service_plane: ServicePlane, authority: Authority
) -> None:
    """Though what is dialled is a port of this machine; the name is that of the namespace, unless another is given."""
    operator, proof = Operator(tmp_path, service_plane), ("--tls-ca", str(authority.cert))
    listed = operator.run("-n", "lb", "services", "-o", "json", *proof)
    assert listed.returncode == 0, listed.stderr
    assert operator.run("-n", "lb", "drain", "cart", ADDRESS, "--reason", "test", *proof).returncode == 0
    assert operator.run("-n", "lb", "undrain", "cart", ADDRESS, *proof).returncode == 0
    missed = operator.run("-n", "lb", "get", "carts", *proof)
    assert (missed.returncode, 'did you mean "cart"?' in missed.stderr) == (3, True), missed.stderr
    other = operator.run("-n", "elsewhere", "services", *proof)
    assert (other.returncode, "error LB910" in other.stderr) == (1, True), other.stderr
    assert operator.run("-n", "elsewhere", "services", *proof, "--tls-server-name", NAME).returncode == 0
    plaintext = Operator(tmp_path, plane).run("-n", "lb", "services", *proof)
    assert plaintext.returncode == 1, plaintext.stdout


def tab(operator: Operator, *line: str, **env: str) -> tuple[str, float]:
    """Press the Tab key; returns what kubectl reads, and after how many seconds. Nothing else is said."""
    began = time.monotonic()
    command, env = [COMPLETER, *line], {**operator.env, **env}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stderr == ""
    assert not any(is_alive(each) for each in operator.forwarders())
    return done.stdout, time.monotonic() - began


def test_tab_key_is_answered(tmp_path: Path, plane: ControlPlane) -> None:
    """As kubectl reads it: candidates, then what to do besides; verbs are known without asking anybody."""
    operator = Operator(tmp_path, plane)
    assert tab(operator, "-n", "lb", "undr")[0] == "undrain\n:4\n"
    assert operator.forwarders() == []


def test_tab_key_offers_what_is_live(
    tmp_path: Path, plane: ControlPlane, service_plane: ServicePlane, authority: Authority
) -> None:
    """Services and endpoints of the control plane in Kubernetes, by a port forwarded for that."""
    operator = Operator(tmp_path, plane)
    said, seconds = tab(operator, "get", "ca")
    assert said == "cart\n:4\n"
    assert tab(operator, "-n", "lb", "why", "cart", "10.0.0.1")[0] == f"{ADDRESS}\n:4\n"
    print(f"{seconds:.1f} s, with a kubectl that is a Python program")
    encrypted = Operator(tmp_path, service_plane)
    assert tab(encrypted, "-n", "lb", "get", "ca", LBCONTROL_TLS_CA=str(authority.cert))[0] == "cart\n:4\n"
    assert tab(encrypted, "-n", "lb", "get", "--tls-ca", str(authority.cert), "ca")[0] == "cart\n:4\n"


def test_tab_key_says_nothing_when_there_is_nothing(tmp_path: Path, plane: ControlPlane) -> None:
    """Neither does it wait for long."""
    for fails in ("get", "port-forward"):
        operator = Operator(tmp_path, plane, fails={fails: "error: forbidden"})
        assert tab(operator, "get", "ca")[0] == ":0\n"
