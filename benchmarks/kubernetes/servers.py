"""The control planes that are compared, each started for one run and stopped after it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fanout.servers import built, is_open
from benchmarks.h2spec import component
from benchmarks.kubernetes.cluster import NAMESPACE, PORT
from benchmarks.kubernetes.scenarios import INFORMER, ISTIO, ISTIO_AT_ONCE, OURS
from tests.support.control_plane import ControlPlane
from tests.support.procs import free_port
from tests.support.waiting import wait_until

CONFIG = """apiVersion: lbcontrol.io/v1alpha1
kind: Server
sources: {{cluster: {{type: kubernetes, kubeconfig: {kubeconfig}}}}}
"""
FULL = f"svc-{{n}}.{NAMESPACE}.svc.cluster.local"
BY_CLUSTER = f"outbound|{PORT}||{FULL}"
"""How Istio calls a port of a service in all types but listeners."""
ISTIO_ENVIRONMENT = {
    "POD_NAMESPACE": "istio-system",
    "POD_NAME": "istiod-0",
    "ENABLE_CA_SERVER": "false",
    "INJECT_ENABLED": "false",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    "PILOT_ENABLE_GATEWAY_API": "false",
    "PILOT_MAX_REQUESTS_PER_SECOND": "100000",
}
"""No certificates, webhooks or other APIs; and the storm of clients is let in, where the default admits 25 a second."""
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """A control plane that runs."""

    port: int
    pid: int
    flags: Mapping[str, object] = field(default_factory=lambda: {"resources": f"svc-{{n}}.{NAMESPACE}"})
    """What the generator has to say to it."""


class _Plane(ControlPlane):
    """``lbcontrol serve`` without files."""

    def arguments(self) -> list[str]:
        """What stands after ``serve``."""
        return super().arguments()[1:]


@contextlib.contextmanager
def ours(kubeconfig: Path) -> Iterator[Target]:
    """``lbcontrol serve`` with one Kubernetes source and defaults."""
    with tempfile.TemporaryDirectory() as home:
        plane = _Plane(Path(home), measured=False)
        config = Path(home) / "lbcontrol.yaml"
        config.write_text(CONFIG.format(kubeconfig=kubeconfig))
        plane.flags += ("--config", str(config))
        try:
            plane.start()
            assert plane.proc is not None  # noqa: S101  just started
            yield Target(int(plane.grpc.rpartition(":")[2]), plane.proc.popen.pid)
        finally:
            plane.kill9()


@contextlib.contextmanager
def _started(words: list[str], ready: int, **environment: str) -> Iterator[int]:
    """Start a peer, wait until a port of it is open; yields its process id."""
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(words, env={**os.environ, **environment}, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: is_open(ready), what="the peer's port", seconds=READY_SECONDS)
            yield process.pid
        finally:
            process.kill()


@contextlib.contextmanager
def informer(kubeconfig: Path) -> Iterator[Target]:
    """client-go's informers and go-control-plane's LinearCache."""
    port = free_port()
    with _started([str(built("gopeer")), "-kubeconfig", str(kubeconfig), "-port", str(port)], port + 1) as pid:
        yield Target(port, pid)


@contextlib.contextmanager
def istio(kubeconfig: Path, **environment: str) -> Iterator[Target]:
    """pilot-discovery for proxyless gRPC, without TLS."""
    port, http, monitoring = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory() as home:
        mesh = Path(home) / "mesh.yaml"
        mesh.write_text(f"defaultConfig: {{discoveryAddress: 127.0.0.1:{port}}}\n")
        words = [component("istio"), "discovery", "--kubeconfig", str(kubeconfig), "--meshConfig", str(mesh)]
        words += ["--grpcAddr", f"127.0.0.1:{port}", "--httpAddr", f"127.0.0.1:{http}"]
        words += ["--monitoringAddr", f"127.0.0.1:{monitoring}", "--secureGRPCAddr", "", "--httpsAddr", ""]
        words += ["--ctrlz_port", "0", "--profile=false", "--shutdownDuration", "1s"]
        with _started(words, port, **ISTIO_ENVIRONMENT, **environment) as pid:
            yield Target(
                port,
                pid,
                {
                    "resources": f"lds={FULL}:{PORT},rds={BY_CLUSTER},cds={BY_CLUSTER},eds={BY_CLUSTER}",
                    "node-id": f"sidecar~10.244.9.9~client-{{n}}.{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
                    "node-metadata": f"GENERATOR=grpc,NAMESPACE={NAMESPACE},CLUSTER_ID=Kubernetes",
                },
            )


STARTED: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Target]]] = {
    OURS: ours,
    INFORMER: informer,
    ISTIO: istio,
    ISTIO_AT_ONCE: lambda kubeconfig: istio(kubeconfig, PILOT_ENABLE_EDS_DEBOUNCE="false"),
}
