"""h2spec, the field's own test of HTTP/2 servers, against ``lbcontrol serve`` as users run it."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.require import component

CASES = 146
"""Cases of h2spec 2.2.1 with ``--strict``."""


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane on our own HTTP/2."""
    made = ControlPlane(tmp_path / "plane", transport="http2")
    try:
        made.start({"greeter.yaml": services_yaml("greeter", {"127.0.0.1:50051": 1})})
        yield made
    finally:
        made.kill9()


def verdicts(report: Path) -> dict[str, str]:
    """Return the verdict of each case (passed, failed, skipped) by its section and words."""
    found = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314  h2spec's own report
        bad = next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "")
        words = f"{case.get('package')}: {case.get('classname')}"
        found[words] = {"": "passed", "skipped": "skipped"}.get(bad, "failed")
    return found


@pytest.mark.timeout(300)
def test_h2spec_strict_passes(plane: ControlPlane, tmp_path: Path) -> None:
    """Nothing is skipped, every case passes; the server serves on."""
    host, _, port = plane.grpc.rpartition(":")
    report = tmp_path / "h2spec.xml"
    command = [str(component("h2spec")), "--strict", "-h", host, "-p", port, "-o", "5", "-j", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280.0, check=False)
    found = verdicts(report)
    passed = sum(verdict == "passed" for verdict in found.values())
    print(f"h2spec --strict: {passed} of {len(found)} passed")
    assert len(found) == CASES, done.stdout
    assert passed == CASES, done.stdout
    assert "greeter" in plane.cli("services", "--server", plane.grpc)
    assert plane.metrics()['lbcontrol_internal_errors_total{part="transport"}'] == 0.0
