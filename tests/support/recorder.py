"""An ADS client that believes everything, comes back after every break, and keeps all it was told.

It tells what real clients cannot show: whether the control plane ever took a resource away.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Self

import grpc
from envoy.service.discovery.v3 import discovery_pb2

from tests.conformance.wire import METHODS, TYPES, Response, parse

_KINDS = ("LDS", "RDS", "CDS", "EDS")
_RETRY_SECONDS = 0.1
_WAIT_SECONDS = 20.0


class Recorder:
    """One client of ``service``, ``sotw`` or ``delta``, in a thread of its own; a context that ends it."""

    def __init__(self, server: str, *, service: str, variant: str) -> None:
        """Start to connect to ``server`` (ip:port)."""
        self.responses: list[Response] = []
        self.streams = 0
        """How many streams brought at least one response."""
        self._server, self._service, self._variant = server, service, variant
        self._versions: dict[str, str] = {}
        self._resources: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
        self._told: set[str] = set()
        self._call: Any = None
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, kinds: int = len(_KINDS), *, stream: int = 1) -> None:
        """Wait until stream number ``stream`` has been told of ``kinds`` types; AssertionError after 20 s."""
        deadline = time.monotonic() + _WAIT_SECONDS
        with self._changed:
            while self.streams < stream or len(self._told) < kinds:
                left = deadline - time.monotonic()
                assert left > 0, f"stream {stream}: only {sorted(self._told)} of stream {self.streams} after 20 s"
                self._changed.wait(left)

    @property
    def tombstones(self) -> list[Response]:
        """Responses that took the service away: a listener or cluster left out, or anything named as removed."""
        return [one for one in self.responses if one.removed or self._is_left_out(one)]

    def bodies(self, kind: str) -> set[bytes]:
        """The different resources of the service that were received of a type."""
        return {one.bodies[self._service] for one in self.responses if one.kind == kind and self._service in one.bodies}

    def _is_left_out(self, response: Response) -> bool:
        whole = self._variant == "sotw" and response.kind in ("LDS", "CDS")
        return whole and self._service not in response.bodies

    def _run(self) -> None:
        while not self._ended.wait(_RETRY_SECONDS):
            with grpc.insecure_channel(self._server, [("grpc.use_local_subchannel_pool", 1)]) as channel:
                try:
                    self._follow(channel)
                except grpc.RpcError:
                    continue

    def _follow(self, channel: grpc.Channel) -> None:
        out: queue.Queue[bytes | None] = queue.Queue()
        requests: Any = iter(out.get, None)
        self._call = channel.stream_stream(METHODS[self._variant], None, None)(requests)
        if self._ended.is_set():
            self._call.cancel()
        self._told = set()
        for kind in _KINDS:
            out.put(self._first(kind))
        try:
            for raw in self._call:
                response = parse(self._variant, raw)
                out.put(self._acknowledged(response))
                self._keep(response)
        finally:
            out.put(None)

    def _keep(self, response: Response) -> None:
        with self._changed:
            if not self._told:
                self.streams += 1
            self._told.add(response.kind)
            self.responses.append(response)
            self._changed.notify_all()

    def _node(self) -> dict[str, str]:
        return {"id": f"recorder-{self._variant}", "user_agent_name": "gRPC C-core linux Python"}

    def _first(self, kind: str) -> bytes:
        if self._variant == "sotw":
            version = self._versions.get(kind, "")
            sotw = discovery_pb2.DiscoveryRequest(type_url=TYPES[kind], version_info=version, node=self._node())
            sotw.resource_names.append(self._service)
            return bytes(sotw.SerializeToString())
        delta = discovery_pb2.DeltaDiscoveryRequest(type_url=TYPES[kind], node=self._node())
        delta.resource_names_subscribe.append(self._service)
        delta.initial_resource_versions.update(self._resources[kind])
        return bytes(delta.SerializeToString())

    def _acknowledged(self, response: Response) -> bytes:
        if self._variant == "sotw":
            self._versions[response.kind] = response.version
            sotw = discovery_pb2.DiscoveryRequest(
                type_url=TYPES[response.kind],
                version_info=response.version,
                response_nonce=response.nonce,
                resource_names=[self._service],
            )
            return bytes(sotw.SerializeToString())
        self._resources[response.kind].update(response.versions)
        delta = discovery_pb2.DeltaDiscoveryRequest(type_url=TYPES[response.kind], response_nonce=response.nonce)
        return bytes(delta.SerializeToString())

    def stop(self) -> None:
        """End the stream and the thread."""
        self._ended.set()
        if self._call is not None:
            self._call.cancel()
        self._thread.join(timeout=5.0)

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """End it."""
        self.stop()
