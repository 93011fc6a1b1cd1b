"""What every type of source owes the hub, whatever it watches."""

from __future__ import annotations

import asyncio
import importlib
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lbcontrol.model.clients import Identity, Peer
from lbcontrol.model.endpoints import Address, Endpoint
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Source
from lbcontrol.runtime.registrations import Registration
from lbcontrol.sources import SOURCES
from lbcontrol.sources.registry import Registry
from lbcontrol.sources.spec import SourceSpec
from tests.support.kube import Kube, namespace, service
from tests.support.sinks import RecordingSink

SECONDS = 30.0
"""For a registry to answer, on a machine that has other work."""


class Registries:
    """For each type of source: options, and how a service comes to be in what it watches, and under which name."""

    def __init__(self, root: Path) -> None:
        """Use ``root`` for files."""
        self.root = root
        self.options: dict[str, dict[str, Any]] = {"file": {"path": str(root)}, "registry": {}}
        self.add: dict[str, Callable[[Source, str], str]] = {"file": self._add_file, "registry": self._register}

    def use(self, kube: Kube) -> None:
        """Give the Kubernetes source a namespace of its own."""
        name = f"contract-{uuid.uuid4().hex[:8]}"
        kube.apply(namespace(name))
        self.options["kubernetes"] = {
            "kubeconfig": str(kube.kubeconfig()),
            "namespaces": [name],
            "defaultNamespace": name,
        }

        def add(_: Source, made: str) -> str:
            kube.apply(service(name, made))
            return f"{made}.{name}"

        self.add["kubernetes"] = add

    def _add_file(self, source: Source, made: str) -> str:
        (self.root / f"{made}.yaml").write_text(f"services: [{{name: {made}, endpoints: [{{address: '[::1]:1'}}]}}]")
        return made

    def _register(self, source: Source, made: str) -> str:
        assert isinstance(source, Registry)
        endpoint = Endpoint(Address.parse("[::1]:1"))
        source.register(Registration(made, endpoint, Peer("[::1]:9", Identity()), 30.0))
        return made


@pytest.fixture
def registries(tmp_path: Path, request: pytest.FixtureRequest) -> Registries:
    """What the sources watch."""
    made = Registries(tmp_path)
    if request.node.callspec.params["kind"] == "kubernetes":
        made.use(request.getfixturevalue("kube"))
    return made


def spec(kind: str) -> SourceSpec[Any]:
    """Return the entry of a type of source."""
    module, _, name = SOURCES[kind].partition(":")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, SourceSpec)
    return found


def built(kind: str, registries: Registries) -> Source:
    """Return a source as the server builds it from its options."""
    entry = spec(kind)
    options = entry.options.model_validate(registries.options[kind])
    return entry.build("name", options, scheduler=LoopScheduler(asyncio.get_running_loop()), metrics=Metrics())


@asynccontextmanager
async def running(source: Source, sink: RecordingSink) -> AsyncIterator[None]:
    """Run a source until it has synced, and stop it at the end."""
    task = asyncio.create_task(source.run(sink))
    try:
        async with asyncio.timeout(SECONDS):
            await sink.has_synced.wait()
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a source to notice something in the real world."""
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110  (the file system has no event to wait for)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", SOURCES)
def test_options_refuse_unknown_keys(kind: str, registries: Registries) -> None:
    """A misspelt option is an error, and every option says what it means."""
    options = spec(kind).options
    with pytest.raises(ValidationError, match="wrong"):
        options.model_validate({**registries.options[kind], "wrong": 1})
    assert all(field.description for field in options.model_fields.values())


@pytest.mark.parametrize("kind", SOURCES)
async def test_source_syncs_after_the_full_picture(kind: str, registries: Registries) -> None:
    """What is there at the start comes in one update before the source calls itself synced."""
    source, sink = built(kind, registries), RecordingSink()
    name = registries.add[kind](source, "early")
    async with running(source, sink):
        assert sink.calls == [f"update +{name}", "synced True"]
    (snapshot,) = sink.picture.values()
    assert (snapshot.source, snapshot.service, snapshot.defines) == ("name", name, True)
    assert snapshot.origin
    assert snapshot.mark


@pytest.mark.parametrize("kind", SOURCES)
async def test_source_without_services_syncs(kind: str, registries: Registries) -> None:
    """Nothing is a full picture: names are unknown from then on."""
    sink = RecordingSink()
    async with running(built(kind, registries), sink):
        assert (sink.completeness, sink.picture) == (True, {})


@pytest.mark.parametrize("kind", SOURCES)
async def test_source_tells_what_comes_later(kind: str, registries: Registries) -> None:
    """A service that appears while the source runs is told without a second sync."""
    source, sink = built(kind, registries), RecordingSink()
    async with running(source, sink):
        name = registries.add[kind](source, "late")
        await until(lambda: name in sink.picture)
    assert [call for call in sink.calls if call.startswith("synced")] == ["synced True"]


@pytest.mark.parametrize("kind", SOURCES)
async def test_source_runs_again_after_it_was_stopped(kind: str, registries: Registries) -> None:
    """A supervisor restarts the same source: the full picture comes again, to the new sink alone."""
    source, first, second = built(kind, registries), RecordingSink(), RecordingSink()
    async with running(source, first):
        pass
    name = registries.add[kind](source, "between")
    async with running(source, second):
        await until(lambda: name in second.picture)
    assert first.picture == {}
    assert second.completeness is True
