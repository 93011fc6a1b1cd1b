"""h2spec against ``lbcontrol serve`` with a certificate: the same cases, through TLS and ALPN."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import test_h2spec
from tests.support.control_plane import services_yaml
from tests.support.pki import make_pki
from tests.support.require import component
from tests.support.tls_plane import TlsPlane


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[TlsPlane]:
    """A control plane on our own HTTP/2; h2spec has no certificate to show, so none is asked for."""
    made = TlsPlane(tmp_path / "plane", make_pki(tmp_path / "pki"), asks=False, transport="http2")
    try:
        made.start({"greeter.yaml": services_yaml("greeter", {"127.0.0.1:50051": 1})})
        yield made
    finally:
        made.kill9()


@pytest.mark.timeout(300)
def test_h2spec_strict_passes_over_tls(plane: TlsPlane, tmp_path: Path) -> None:
    """Nothing is skipped, every case passes but those that may fail in plaintext, too; the server serves on."""
    host, _, port = plane.grpc.rpartition(":")
    report = tmp_path / "h2spec.xml"
    command = [str(component("h2spec")), "--strict", "-t", "-k", "-h", host, "-p", port, "-o", "5", "-j", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280.0, check=False)
    found = test_h2spec.verdicts(report)
    failed = {words for words, verdict in found.items() if verdict == "failed"}
    print(f"h2spec --strict -t: {len(found) - len(failed)} of {len(found)} passed; failed: {sorted(failed)}")
    assert len(found) == test_h2spec.CASES, done.stdout
    assert "skipped" not in found.values()
    assert failed <= set(getattr(test_h2spec, "REASONS", ())), done.stdout
    assert "greeter" in plane.cli("services")
    assert plane.metrics()['lbcontrol_internal_errors_total{part="transport"}'] == 0.0
