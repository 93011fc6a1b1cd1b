"""The API server, through the official client: pages of a list, lines of a watch, a sign of life.

Answers are taken as bytes and decoded here, item by item: the client's own models cost several times as much and hold
the loop while a long list is made. Its generated classes, one for each group of the API, are left alone too: to load
them takes a second and 100 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.sources.kubernetes.items import split
from lbcontrol.sources.kubernetes.objects import SERVICE_LABEL
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.policies import GROUP, PLURAL, VERSION
from lbcontrol.sources.kubernetes.sockets import api_client

PAGE = 500
"""Objects asked for at once."""
PAGE_TIMES = aiohttp.ClientTimeout(total=60.0, sock_connect=5.0, sock_read=30.0)
"""For one page, in seconds; an API server gives up after 60 s itself."""
OPEN_SECONDS = 15.0
"""Seconds in which a watch has to be answered; the API server answers before there is anything to say."""
WATCH_SECONDS = (240, 480)
"""The API server ends a watch after a time between these, so that not all come back at once."""
SILENCE = 90.0
"""Seconds without a line after which a watch is given up: bookmarks come once a minute."""
LINE_BYTES = 2_097_152
"""Longest line of a watch; the client's buffer is made for it."""
PAGE_BYTES = 268_435_456
"""Longest page of a list: 500 objects of the API server's largest size would be more, and are not believed."""
SLICE_SECONDS = 0.005
"""Time for which items are decoded before others run."""
LIVE_SECONDS = 3.0
SEND_SECONDS = 4.0
"""Time for one write; less than what lies between the end of a Lease's right to write and the next holder's begin."""

MISSING = 404
FINAL = (400, 409, 422, 504)
"""Statuses of an answer that will not be another for the same question: 504 is said of a version not reached yet."""

Answer = Callable[..., Awaitable[aiohttp.ClientResponse]]


class GoneError(Exception):
    """The version that was asked for is not kept any more (410): list again."""


class RefusedError(SourceUnavailableError):
    """The API server answers, and not with what was asked for: it has no such kind, or the right is missing."""


class UnusableError(SourceUnavailableError):
    """The API server answers, and with nothing that can be used: the same question would get the same answer."""


class Api:
    """One API server. Everything raises SourceUnavailableError when it cannot be reached or refuses."""

    def __init__(self, api: client.ApiClient) -> None:
        """Connect nothing yet."""
        self._api = api

    @property
    def host(self) -> str:
        """Address of the API server, for people."""
        return str(self._api.configuration.host)

    async def close(self) -> None:
        """End all connections at once, without waiting for a server that may not answer."""
        if (session := self._api.rest_client.pool_manager) is not None:
            await session.connector.close(abort_ssl=True)
        await self._api.close()

    def services(self, namespace: str, selector: str) -> Answer:
        """Return the request for Services; of all namespaces for ""."""
        return self._asking("/api/v1", "services", namespace, selector)

    def slices(self, namespace: str) -> Answer:
        """Return the request for EndpointSlices; of all namespaces for ""."""
        return self._asking("/apis/discovery.k8s.io/v1", "endpointslices", namespace, SERVICE_LABEL)

    def _asking(self, group: str, kind: str, namespace: str, selector: str) -> Answer:
        path = f"{group}/namespaces/{namespace}/{kind}" if namespace else f"{group}/{kind}"
        fixed = {"labelSelector": selector} if selector else {}

        async def ask(times: aiohttp.ClientTimeout, **query: str) -> aiohttp.ClientResponse:
            request = await self._api.param_serialize(
                "GET",
                path,
                query_params=[*fixed.items(), *query.items()],
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(*request, _request_timeout=times)
            response: aiohttp.ClientResponse = answer.response
            return response

        return ask

    def policies(self, namespace: str) -> Answer:
        """Return the request for ServicePolicies; of all namespaces for ""."""
        return self._asking(f"/apis/{GROUP}/{VERSION}", PLURAL, namespace, "")

    async def send(self, method: str, path: str, *, body: object = None, merge: bool = False) -> tuple[int, str]:
        """Send one request and return status and text of the answer, whatever the status is.

        Args:
            method: GET, POST, PUT or PATCH.
            path: From the root of the API server.
            body: JSON; None for none.
            merge: The body is a JSON merge patch (RFC 7386).

        Raises:
            SourceUnavailableError: there is no answer within ``SEND_SECONDS``.
        """
        kind = "application/merge-patch+json" if merge else "application/json"
        headers = {"Accept": "application/json"} | ({"Content-Type": kind} if body is not None else {})
        with _told(self.host, f"{method} {path}"):
            async with asyncio.timeout(SEND_SECONDS):
                request = await self._api.param_serialize(
                    method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
                )
                answer = await self._api.call_api(*request, _request_timeout=SEND_SECONDS)
                return int(answer.status), (await answer.read()).decode()

    async def alive(self) -> None:
        """Ask for a sign of life that does not wait for anything else of the API server; a refusal is one, too."""
        with _told(self.host, "GET /livez"):
            async with asyncio.timeout(LIVE_SECONDS):
                request = await self._api.param_serialize("GET", "/livez", auth_settings=["BearerToken"])
                answer = await self._api.call_api(*request, _request_timeout=LIVE_SECONDS)
                await answer.read()
        if answer.status >= 500:
            _check(answer.status, "", self.host, "GET /livez")


async def listed(ask: Answer, *, host: str, what: str, page: int = PAGE) -> AsyncIterator[tuple[Any, str]]:
    """List in pages; yields each object with "", and last (None, version of the list).

    Args:
        ask: ``Api.services`` or ``Api.slices``.
        host: For errors.
        what: For errors: "services", "endpointslices".
        page: Objects asked for at once.

    Raises:
        GoneError: the list changed too much between two pages: begin again.
        SourceUnavailableError: it cannot be read.
    """
    query = {"limit": str(page)}
    while True:
        with _told(host, f"list {what}"):
            answer = await ask(PAGE_TIMES, **query)
            text = await _text(answer)
        _check(answer.status, text, host, f"list {what}")
        head: dict[str, Any] = {}
        async for item in _gently(text, head, host):
            yield item, ""
        metadata = head.get("metadata") or {}
        token = str(metadata.get("continue") or "")
        if not token:
            yield None, str(metadata.get("resourceVersion") or "")
            return
        query["continue"] = token


async def watched(
    ask: Answer, *, host: str, what: str, version: str, seconds: int
) -> AsyncGenerator[tuple[str, Any], None]:
    """Watch from a version on; yields ("OPEN", None), then (type, object) until the API server ends the watch.

    Raises:
        GoneError: the version is not kept any more.
        SourceUnavailableError: the watch broke, is silent, or is refused.
    """
    query = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(seconds),
    }
    with _told(host, f"watch {what}"):
        async with asyncio.timeout(OPEN_SECONDS):
            answer = await ask(aiohttp.ClientTimeout(total=seconds + SILENCE), **query)
    try:
        if answer.status != 200:
            _check(answer.status, await _text(answer), host, f"watch {what}")
        yield "OPEN", None
        while True:
            with _told(host, f"watch {what}"):
                async with asyncio.timeout(SILENCE):
                    line = await answer.content.readline()
                if line and not line.endswith(b"\n"):
                    raise ConnectionError("the watch was cut within a line")
            if not line:
                return
            yield _event(line, host, what)
    finally:
        answer.close()


def _event(line: bytes, host: str, what: str) -> tuple[str, Any]:
    with _told(host, f"watch {what}"):
        event = json.loads(line)
        kind, item = str(event["type"]), event["object"]
        version = item.get("metadata", {}).get("resourceVersion")
        if kind != "ERROR" and not isinstance(version, str):
            raise ValueError(f"an event of type {kind[:20]} without a version")
    if kind == "ERROR":
        _check(int(item.get("code") or 500), json.dumps(item), host, f"watch {what}")
    return kind, item


async def _text(answer: aiohttp.ClientResponse) -> str:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > PAGE_BYTES:
            answer.close()
            raise ValueError(f"an answer of more than {PAGE_BYTES} bytes")
        parts.append(part)
    return b"".join(parts).decode()


async def _gently(text: str, head: dict[str, Any], host: str) -> AsyncIterator[Any]:
    """Decode item by item, and let others run now and then."""
    clock = asyncio.get_running_loop().time
    since = clock()
    items = split(text, head)
    while True:
        with _told(host, "read a list"):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
        if clock() - since >= SLICE_SECONDS:
            await asyncio.sleep(0)
            since = clock()


@contextlib.contextmanager
def _told(host: str, doing: str) -> Iterator[None]:
    """Turn what the client and the network raise into our error."""
    try:
        yield
    except client.ApiException as error:
        _check(int(error.status or 0), str(error.body or error.reason or ""), host, doing)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        why = str(error) or type(error).__name__
        raise SourceUnavailableError(_unread(host, doing, why)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnusableError(_unread(host, doing, f"{type(error).__name__}: {error}")) from error


def _unread(host: str, doing: str, why: str) -> Finding:
    return Finding(
        "LB234", f"the API server {host} cannot be read", at=doing, why=why[:300],
        effect="what it said last stays in force; tried again within 30 s", do="kubectl get --raw /readyz",
    )  # fmt: skip


def _check(status: int, text: str, host: str, doing: str) -> None:
    """Raise when an answer is none."""
    if 200 <= status < 300:
        return
    if status == 410:
        raise GoneError
    message = message_of(text)
    if status in (401, 403):
        raise RefusedError(
            Finding(
                "LB235", f"the API server {host} refuses to {doing}", at=doing, why=message,
                effect="what it said last stays in force; tried again within 30 s",
                do="give the service account list and watch on services and endpointslices.discovery.k8s.io",
            )
        )  # fmt: skip
    kind = RefusedError if status == MISSING else UnusableError if status in FINAL else SourceUnavailableError
    raise kind(_unread(host, doing, f"status {status}: {message}"))


def message_of(text: str) -> str:
    """Return what an answer that is none says, cut."""
    with contextlib.suppress(ValueError):
        status = json.loads(text)
        if isinstance(status, Mapping):
            return str(status.get("message") or "")[:300]
    return text[:300]


async def connect(options: KubernetesOptions) -> Api:
    """Return the API server that the options mean.

    Raises:
        SourceUnavailableError: nothing says where it is, or what says it cannot be read (LB236).
    """
    settings = client.Configuration()
    try:
        if not options.kubeconfig and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=settings)
        else:
            path = _kubeconfig(options.kubeconfig)
            context = options.context or None
            await config.load_kube_config(config_file=path, context=context, client_configuration=settings)
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        raise SourceUnavailableError(
            Finding(
                "LB236", "nothing says where the API server is", at=options.kubeconfig, why=str(error)[:300],
                effect="the source stays stale; tried again within 30 s",
                do="set kubeconfig: of the source, or run in a pod with a service account",
            )
        ) from error  # fmt: skip
    return Api(api_client(settings))


def _kubeconfig(named: str) -> str:
    """Return what kubectl would read, unless a file is named; FileNotFoundError when there is none."""
    path = named or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if not any(Path(each).is_file() for each in path.split(os.pathsep)):
        raise FileNotFoundError(f"there is no file {path}")
    return path
