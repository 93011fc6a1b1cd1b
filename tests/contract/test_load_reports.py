"""LRS over the wire, from a stock grpc.aio client's report to the load window, on every binding."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from envoy.service.load_stats.v3 import lrs_pb2

from lbcontrol.frontends.lrs.frontend import SERVICE, LrsFrontEnd
from lbcontrol.frontends.lrs.stream import LrsParts
from lbcontrol.frontends.native_ports import LoadTestimony
from lbcontrol.runtime import loads
from lbcontrol.runtime.authorization import AllowAll
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.transport.binding import Offer
from tests.contract.serving import LOOPBACK, SERVES, TLS, Call, dialled
from tests.support.aio import calm
from tests.unit.frontends.fakes import MemoryDirectory, decision, endpoint

PATH = SERVICE + "StreamLoadStats"
MOST = 1_048_576
NODE = {"id": "n", "client_features": ["envoy.lrs.supports_send_all_clusters"]}


class Window(loads.LoadWindow):
    """A load window that says when something was stored."""

    stored: asyncio.Event

    def store(self, testimony: loads.Testimony) -> None:
        """Keep it and say so."""
        super().store(testimony)
        self.stored.set()


@pytest.fixture(params=[name for name in sorted(SERVES) if not name.endswith(TLS)])
def transport(request: pytest.FixtureRequest) -> str:
    """Every test runs on every binding, in plaintext: TLS has tests of its own."""
    return str(request.param)


@contextlib.asynccontextmanager
async def reporting(transport: str) -> AsyncIterator[tuple[Call, Window, Metrics]]:
    """A stream to a server with service ``a``, and what the server keeps."""
    metrics, scheduler = Metrics(), LoopScheduler(asyncio.get_running_loop())
    window = Window(scheduler, metrics=metrics)
    window.stored = asyncio.Event()
    directory = MemoryDirectory()
    directory.put(decision("a", 1, endpoint("10.0.0.1:1"), endpoint("10.0.0.2:1")))
    parts = LrsParts(directory, AllowAll(), window, scheduler, kind_of=lambda _: "grpc-go", rejected=lambda _: None)
    methods = LrsFrontEnd(parts).methods()
    async with calm():
        server = await SERVES[transport](Offer(methods, scheduler, metrics, protocols={PATH: "xds"}), LOOPBACK)
        try:
            async with dialled(str(server.listen)) as channel:
                call: Any = channel.stream_stream(PATH)()
                yield call, window, metrics
                call.cancel()
        finally:
            await server.stop(0.0)


async def introduce(call: Call) -> Any:
    """Send a node and return the answer."""
    await call.write(lrs_pb2.LoadStatsRequest(node=NODE).SerializeToString())
    raw = await call.read()
    assert isinstance(raw, bytes)
    return lrs_pb2.LoadStatsResponse.FromString(raw)


async def test_report_of_a_stock_client_reaches_the_load_window(transport: str) -> None:
    """The answer asks for everything once a second; the report is a testimony of both endpoints, counted as xDS."""
    async with reporting(transport) as (call, window, metrics):
        answer = await introduce(call)
        assert (answer.send_all_clusters, answer.load_reporting_interval.seconds) == (True, 1)
        places = [{"locality": {"sub_zone": f"10.0.0.{n}:1"}, "total_successful_requests": n * 10} for n in (1, 2)]
        stats = {"cluster_name": "a", "upstream_locality_stats": places, "load_report_interval": {"seconds": 2}}
        await call.write(lrs_pb2.LoadStatsRequest(cluster_stats=[stats]).SerializeToString())
        await asyncio.wait_for(window.stored.wait(), 20.0)
        (testimony,) = window.latest("a")
        assert isinstance(testimony, LoadTestimony)
        assert [(str(each.address), each.rps) for each in testimony.samples] == [("10.0.0.1:1", 5), ("10.0.0.2:1", 10)]
        assert testimony.peer.host == "127.0.0.1"
        assert metrics.registry.get_sample_value("lbcontrol_load_samples_total", {"protocol": "xds"}) == 2.0
        assert metrics.registry.get_sample_value("lbcontrol_streams", {"protocol": "xds"}) == 1.0


@pytest.mark.parametrize(("more", "code"), [(0, None), (1, grpc.StatusCode.RESOURCE_EXHAUSTED)])
async def test_report_has_a_megabyte_at_most(transport: str, more: int, code: grpc.StatusCode | None) -> None:
    """A larger one ends the stream by its length alone; one of just that size is read."""
    async with reporting(transport) as (call, window, _):
        await introduce(call)
        place = {"locality": {"sub_zone": "10.0.0.1:1"}}
        stats = {"cluster_name": "a", "upstream_locality_stats": [place], "load_report_interval": {"seconds": 1}}
        report = lrs_pb2.LoadStatsRequest(cluster_stats=[stats], node={"id": "n" * (MOST - 200)})
        report.node.id += "n" * (MOST + more - report.ByteSize())
        assert report.ByteSize() == MOST + more
        await call.write(report.SerializeToString())
        if code is None:
            await asyncio.wait_for(window.stored.wait(), 20.0)
        else:
            assert await asyncio.wait_for(call.code(), 20.0) is code
