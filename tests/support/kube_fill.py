"""Many objects at once into a real API server, over many connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Iterator

import aiohttp

from tests.support.kube import Kube, Object, endpoint, endpoint_slice, service

CONNECTIONS = 32
ENDPOINTS = 4
_PATHS = {
    "Service": "/api/v1/namespaces/{}/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
}


def many_services(namespace: str, services: Iterable[int]) -> Iterator[Object]:
    """Yield Services ``s0 …``, chosen and headless, each with a slice of four endpoints in three zones."""
    for number in services:
        made = service(namespace, f"s{number}")
        made["spec"]["clusterIP"] = "None"  # Else the API server would allocate one.
        yield made
        hosts = [f"10.{1 + number // 2_500}.{number // 10 % 250}.{number % 10 * 10 + n}" for n in range(ENDPOINTS)]
        ends = (endpoint(host, zone=f"zone-{n % 3}") for n, host in enumerate(hosts))
        yield endpoint_slice(namespace, f"s{number}", *ends, of=f"s{number}")


def fill(kube: Kube, objects: Iterable[Object]) -> None:
    """Create all objects; AssertionError when one is refused."""
    asyncio.run(_fill(kube, iter(objects)))


async def _fill(kube: Kube, objects: Iterator[Object]) -> None:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=ssl.create_default_context(cafile=str(kube.authority)))
    headers = {"Authorization": f"Bearer {kube.token}"}
    async with aiohttp.ClientSession(kube.url, connector=connector, headers=headers) as session:

        async def create() -> None:
            for each in objects:
                path = _PATHS[each["kind"]].format(each["metadata"]["namespace"])
                async with session.post(path, json=each) as answer:
                    assert answer.status == 201, await answer.text()

        await asyncio.gather(*(create() for _ in range(CONNECTIONS)))
