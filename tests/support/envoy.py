"""A real Envoy in a child process: one static listener, everything else from the control plane over ADS."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from tests.support.procs import Proc

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TYPE = "type.googleapis.com/"
_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
ADS = {"ads": {}, "resource_api_version": "V3"}


def _address(text: str) -> dict[str, Any]:
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _listener(address: str, route: str) -> dict[str, Any]:
    manager = {
        "@type": _TYPE + _MANAGER,
        "stat_prefix": "in",
        "rds": {"route_config_name": route, "config_source": ADS},
        "http_filters": [{"name": "router", "typed_config": {"@type": _TYPE + _ROUTER}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {"name": "in", "address": _address(address), "filter_chains": [chain]}


def _control_plane(server: str) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(server)}}
    return {
        "name": "control_plane",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "control_plane", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {"@type": _TYPE + HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
        },
    }


def bootstrap(server: str, *, listen: str, route: str, api_type: str) -> dict[str, Any]:
    """The configuration: listen on ``listen``, route by ``route``; LDS, CDS, RDS and EDS come from ``server``.

    ``api_type`` is GRPC (state of the world) or DELTA_GRPC.
    """
    service = {"envoy_grpc": {"cluster_name": "control_plane"}}
    ads = {"api_type": api_type, "transport_api_version": "V3", "grpc_services": [service]}
    return {
        "node": {"id": "envoy-interop", "cluster": "interop"},
        "dynamic_resources": {"ads_config": ads, "lds_config": ADS, "cds_config": ADS},
        "static_resources": {"listeners": [_listener(listen, route)], "clusters": [_control_plane(server)]},
    }


class Envoy:
    """The process; a context that kills it at the end."""

    def __init__(self, binary: Path, document: Mapping[str, Any], *, home: Path) -> None:
        """Start it with a bootstrap and wait until its admin endpoint, which is added, says ready.

        Ready includes the first configuration from the control plane.

        Raises:
            TimeoutError: It is not ready after a minute; the message ends with its log.
        """
        config, admin = home / "envoy.json", home / "envoy.admin"
        config.write_text(json.dumps({**document, "admin": {"address": _address("127.0.0.1:0")}}))
        argv = [str(binary), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id"]
        argv += ["--log-level", "warning", "--admin-address-path", str(admin)]
        self.proc = Proc(argv, log=home / "envoy.log")
        self._admin = admin
        try:
            self.wait(lambda: self._get("/ready").startswith("LIVE"), "ready")
        except BaseException:
            self.proc.kill9()
            raise

    def wait(self, met: Callable[[], bool], what: str) -> None:
        """Wait until ``met()`` holds; TimeoutError with ``what`` and the log after a minute."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self._met(met):
            if self.proc.popen.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"Envoy: not {what}; log:\n{self.proc.tail()}")
            time.sleep(_POLL_SECONDS)  # an admin endpoint has no event to wait for

    def _met(self, met: Callable[[], bool]) -> bool:
        try:
            return met()
        except (urllib.error.URLError, OSError):
            return False

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self._admin.read_text()}{path}", timeout=5.0) as answer:
            return str(answer.read().decode())

    def stats(self) -> dict[str, int]:
        """Counters and gauges by name."""
        listed = json.loads(self._get("/stats?format=json"))["stats"]
        return {one["name"]: one["value"] for one in listed if isinstance(one.get("value"), int)}

    def rejected(self) -> dict[str, int]:
        """Every ``update_rejected`` counter by name: one each for cds, lds, the route and every EDS cluster."""
        return {name: value for name, value in self.stats().items() if name.endswith(".update_rejected")}

    def stop(self) -> None:
        """Kill the process."""
        self.proc.kill9()

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Kill the process, and show its log if the block failed."""
        self.stop()
        if kind is not None:
            print(f"--- {self.proc.log}\n{self.proc.tail()}")
