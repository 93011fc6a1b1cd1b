"""A real Envoy reports its load by LRS, endpoint by endpoint."""

from __future__ import annotations

from pathlib import Path

from tests.support.clients import GRPCIO, Client
from tests.support.control_plane import ControlPlane
from tests.support.envoy import Envoy, bootstrap
from tests.support.procs import free_port
from tests.support.require import component
from tests.support.waiting import wait_until

STORED = 'lbcontrol_load_samples_total{protocol="xds"}'
REFUSED = "lbcontrol_load_samples_rejected_total"


def test_envoy_reports_every_endpoint_it_called(plane: ControlPlane, tmp_path: Path) -> None:
    """It understands the answer, so that all three backends have samples.

    Nothing is refused but what it says of its own cluster, the control plane, which nobody assigned to it.
    """
    listen = f"127.0.0.1:{free_port()}"
    document = bootstrap(plane.grpc, listen=listen, route="greeter", api_type="GRPC")
    service = {"envoy_grpc": {"cluster_name": "control_plane"}}
    reporting = {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [service]}
    document["cluster_manager"] = {"load_stats_config": reporting}
    with (
        Envoy(component("envoy"), document, home=tmp_path) as envoy,
        Client(GRPCIO, listen, server="", log=tmp_path / "caller.log") as caller,
    ):

        def reported() -> bool:
            assert caller.call(8).failed == 0  # Envoy counts calls of a cluster from the report after its discovery.
            return plane.metrics()[STORED] >= 3

        wait_until(reported, "samples of three endpoints", seconds=30.0)
        refused = {name for name, value in plane.metrics().items() if name.startswith(REFUSED) and value}
        assert refused <= {REFUSED + '{reason="not_assigned"}'}
        assert envoy.stats()["load_reporter.errors"] == 0
        assert plane.metrics()['lbcontrol_streams{protocol="xds"}'] == 2.0
