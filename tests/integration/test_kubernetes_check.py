"""``lbcontrol check`` on a cluster in which something needs a hand."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.clients import GRPCIO, Client
from tests.support.control_plane import START_SECONDS, ControlPlane, lbcontrol
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.kube_plane import KubePlane
from tests.support.service_policies import install
from tests.support.waiting import wait_until

SPACE = "checked"
FINDINGS = 4
"""Exit code of ``check`` where there are any (UX: exit codes)."""


@pytest.fixture
def plane(kube: Kube, tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane that reads a Service with endpoints in two zones."""
    ends = (endpoint("10.0.0.1", zone="a"), endpoint("10.0.0.2", zone="b"))
    install(kube)
    kube.apply(namespace(SPACE), service(SPACE, "echo"), endpoint_slice(SPACE, f"{SPACE}-a", *ends, of="echo"))
    made = KubePlane(tmp_path / "plane", kube.kubeconfig(), namespaces=[SPACE])
    try:
        made.start()
        yield made
    finally:
        made.kill9()


def check(plane: ControlPlane) -> tuple[int, str]:
    """Return the exit code and what is printed."""
    command = [lbcontrol(), "check", "--server", plane.grpc, "--admin", plane.admin]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    return done.returncode, done.stdout + done.stderr


def finds(plane: ControlPlane, *words: str) -> bool:
    """Whether ``check`` says all of this."""
    code, said = check(plane)
    return code == FINDINGS and all(word in said for word in words)


def test_malformed_annotation_and_missing_zone_are_found(kube: Kube, plane: ControlPlane, tmp_path: Path) -> None:
    """The Service keeps its last form meanwhile; what is mended is found no more."""
    assert check(plane)[0] == 0, check(plane)[1]
    annotate = partial(kube.kubectl, "-n", SPACE, "annotate", "--overwrite", "service", "echo")
    annotate("lbcontrol.io/enabled=yes")
    wait_until(lambda: finds(plane, "LB230", f"{SPACE}/echo", '"yes"'), "the annotation is found")
    assert plane.metrics()[f'lbcontrol_endpoints{{health="serving",service="echo.{SPACE}"}}'] == 2
    annotate("lbcontrol.io/enabled=true")
    wait_until(lambda: check(plane)[0] == 0, "it is mended")
    with Client(GRPCIO, f"xds:///echo.{SPACE}", server=plane.grpc, log=tmp_path / "client.log") as client:
        client.begin_slow_calls(1)  # Nobody answers; it is there.
        wait_until(
            lambda: finds(plane, "LB314", "1 grpc-cpp client does not say its zone"),
            "the client without a zone is found",
        )
