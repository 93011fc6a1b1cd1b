"""Runs a scenario against a subject. Silence is proved by a barrier, never by waiting.

A barrier is a request that must be answered: one more name of a type that the script leaves alone. Requests of a
stream are handled in order, so whatever the server had to say before stands before the barrier's answer. Two are
sent, because a server may pick between a waiting push and a waiting request at random, but then must flush.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from envoy.service.discovery.v3 import discovery_pb2

from tests.conformance.scenario import Scenario, Step
from tests.conformance.subject import Document, Subject
from tests.conformance.wire import TYPES, Response, StreamEndedError, Wire, parse

BARRIERS = 60
KINDS = {"grpc": "gRPC Go", "envoy": "envoy", "unknown": "acme-xds-client"}
"""``node.user_agent_name`` by the word of a scenario."""


class MismatchError(AssertionError):
    """The subject did not do what the scenario says; ``step`` counts from 1, 0 before it is known."""

    step = 0


def document(name: str, endpoints: list[Any], number: int, timeout: str | None) -> Document:
    """Return a service as a service file would have it; ``drain`` stands for a draining endpoint of weight 1."""
    made: dict[str, Any] = {"name": name, "endpoints": []}
    for position, weight in enumerate(endpoints):
        made["endpoints"].append(
            {
                "address": f"10.{position // 250}.{number}.{position % 250 + 1}:80",
                "weight": 1 if weight == "drain" else weight,
                "health": "Draining" if weight == "drain" else "Serving",
            }
        )
    if timeout:
        made["policy"] = {"timeout": timeout}
    return made


class World:
    """The published services; barrier services are always among them."""

    def __init__(self, scenario: Scenario) -> None:
        """Begin with the world of the scenario."""
        self._services: dict[str, list[Any]] = dict(scenario.world)
        self._timeouts: dict[str, str] = {}
        self.complete = scenario.complete

    def change(self, arguments: Mapping[str, Any]) -> None:
        """Apply the arguments of a ``publish`` step."""
        self._services.update(arguments.get("set", {}))
        self._timeouts.update(arguments.get("timeout", {}))
        for name in arguments.get("remove", []):
            del self._services[name]
        self.complete = arguments.get("complete", self.complete)

    def documents(self) -> list[Document]:
        """Return all services."""
        everything = {**self._services, **{f"barrier-{number}": [1] for number in range(BARRIERS)}}
        return [
            document(name, weights, sum(name.encode()) % 250, self._timeouts.get(name))
            for name, weights in everything.items()
        ]


class Client:
    """One stream as a scripted client: it remembers what a real one would."""

    def __init__(self, wire: Wire, scenario: Scenario, patience: float) -> None:
        """Take over an open stream."""
        self.wire = wire
        self._variant = scenario.variant
        self._barrier = scenario.barrier
        self._patience = patience
        self._answers: dict[str, list[Response]] = {}
        self._names: dict[str, list[str]] = {}
        self._nonces: set[str] = set()
        self._barriers = 0
        self._first = True
        self.kind = "grpc"
        self.settled = True
        """False after a scripted request of which nothing yet shows that the server has read it."""

    async def next(self) -> Response:
        """Wait for a response; its nonce must be new on this stream."""
        try:
            raw = await asyncio.wait_for(self.wire.receive(), self._patience)
        except TimeoutError:
            raise MismatchError("expected a response, none came") from None
        except StreamEndedError as error:
            raise MismatchError(str(error)) from error
        response = parse(self._variant, raw)
        if response.nonce in self._nonces or not response.nonce:
            raise MismatchError(f"nonce {response.nonce!r} is empty or was used before on this stream")
        self._nonces.add(response.nonce)
        self._answers.setdefault(response.kind, []).append(response)
        return response

    def _nonce(self, kind: str, word: str | None) -> str:
        answers = self._answers.get(kind, [])
        if word == "unknown":
            return "never-sent-by-anyone"
        if word and word.startswith("stale"):
            return answers[-1 - int(word[5:])].nonce
        return answers[-1].nonce if word == "last" and answers else ""

    def held(self, kind: str, name: str) -> str:
        """Return the version of a resource that this client was sent last (Delta)."""
        return [answer.versions[name] for answer in self._answers[kind] if name in answer.versions][-1]

    def last_version(self, kind: str) -> str:
        """Return the version of the newest SotW answer, "" before the first."""
        answers = self._answers.get(kind, [])
        return answers[-1].version if answers else ""

    async def send(self, arguments: Mapping[str, Any]) -> None:
        """Send a request as a ``send`` step has it; the node goes with the first one unless said otherwise."""
        make = self._sotw if self._variant == "sotw" else self._delta
        request = make(arguments)
        request.type_url = TYPES[arguments["type"]]
        request.response_nonce = self._nonce(arguments["type"], arguments.get("nonce", "last"))
        if "error" in arguments:
            request.error_detail.code = 3
            error = arguments["error"]
            request.error_detail.message = "x" * error["repeat"] if isinstance(error, dict) else error
        self._add_node(request, arguments.get("node", self.kind if self._first else "none"))
        self._first = False
        await self.wire.send(request.SerializeToString())

    @staticmethod
    def _add_node(request: Any, word: Any) -> None:
        if word == "none":
            return
        sizes = word if isinstance(word, dict) else {}
        request.node.id = "n" * sizes.get("id", 6)
        request.node.user_agent_name = KINDS[sizes.get("kind", "grpc") if sizes else word]
        request.node.user_agent_version = "1.85.0"
        if "metadata" in sizes:
            request.node.metadata.fields["blob"].string_value = "m" * sizes["metadata"]

    def _sotw(self, arguments: Mapping[str, Any]) -> discovery_pb2.DiscoveryRequest:
        kind = arguments["type"]
        names = _names(arguments, "names", self._names.get(kind, []))
        self._names[kind] = names
        version = arguments.get("version", "last")
        version = {"last": self.last_version(kind), "none": ""}.get(version, version)
        return discovery_pb2.DiscoveryRequest(version_info=version, resource_names=names)

    def _delta(self, arguments: Mapping[str, Any]) -> discovery_pb2.DeltaDiscoveryRequest:
        return discovery_pb2.DeltaDiscoveryRequest(
            resource_names_subscribe=_names(arguments, "subscribe", []),
            resource_names_unsubscribe=arguments.get("unsubscribe", []),
            initial_resource_versions=arguments.get("initial", {}),
        )

    async def acknowledge(self, kind: str) -> None:
        """Accept the newest response of a type."""
        await self.send({"type": kind})

    async def quiet(self) -> None:
        """Prove that nothing is under way: two barriers, and nothing but their answers."""
        for _ in range(2):
            name = f"barrier-{self._barriers}"
            self._barriers += 1
            names = [*self._names.get(self._barrier, []), name]
            key, value = ("names", names) if self._variant == "sotw" else ("subscribe", [name])
            await self.send({"type": self._barrier, key: value})
            response = await self.next()
            if response.kind != self._barrier or name not in response.bodies:
                raise MismatchError(f"expected silence, got {describe(response)}")
            await self.acknowledge(self._barrier)


def _names(arguments: Mapping[str, Any], key: str, default: list[str]) -> list[str]:
    many = arguments.get("many")
    if many:
        return [f"{number:0{many.get('length', 6)}d}" for number in range(many["count"])]
    return list(arguments.get(key, default))


def describe(response: Response) -> str:
    """Say in one line what came."""
    return f"{response.kind} {visible(response.bodies)} removed {list(response.removed)}"


def visible(names: Any) -> list[str]:
    """Sort names and leave out those of barriers, which wildcards see too."""
    return sorted(name for name in names if not name.startswith("barrier-"))


class Run:
    """One scenario on one subject."""

    def __init__(self, scenario: Scenario, subject: Subject) -> None:
        """Nothing happens yet."""
        self._scenario = scenario
        self._subject = subject
        self._world = World(scenario)
        self._clients: dict[str, Client] = {}
        self._remembered: dict[str, Any] = {}

    async def __call__(self) -> None:
        """Run all steps; raises MismatchError with the number of the step that failed."""
        await self._subject.reset()
        await self._publish({})
        try:
            for number, step in enumerate(self._scenario.steps, 1):
                try:
                    await self._step(step)
                except MismatchError as error:
                    located = MismatchError(f"{self._scenario.id} step {number} ({step.verb}): {error}")
                    located.step = number
                    raise located from error
        finally:
            for client in self._clients.values():
                await client.wire.close()

    async def _step(self, step: Step) -> None:
        arguments = step.arguments
        if step.verb == "publish":
            await self._publish(arguments)
            return
        client = self._client(arguments)
        client.settled = step.verb != "send"
        if step.verb == "send":
            await client.send(self._resolved(arguments))
        elif step.verb == "expect":
            await self._expect(client, arguments)
        elif step.verb == "silence":
            await client.quiet()
        elif step.verb == "close":
            await client.wire.close()
        elif step.verb == "end":
            await self._end(client, arguments["code"])

    def _resolved(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace ``{of: STREAM}`` by the version that the client of that stream holds."""
        kind = arguments["type"]
        resolved = dict(arguments)
        for name, word in arguments.get("initial", {}).items():
            held = self._clients[word["of"]].held(kind, name) if isinstance(word, dict) else word
            resolved["initial"] = {**resolved["initial"], name: held}
        if isinstance(arguments.get("version"), dict):
            resolved["version"] = self._clients[arguments["version"]["of"]].last_version(kind)
        return resolved

    def _client(self, arguments: Mapping[str, Any]) -> Client:
        name = arguments.get("stream", "main")
        if name not in self._clients:
            wire = self._subject.open(self._scenario.variant)
            self._clients[name] = Client(wire, self._scenario, self._subject.patience)
        client = self._clients[name]
        if isinstance(arguments.get("node"), str) and arguments["node"] != "none":
            client.kind = arguments["node"]
        return client

    async def _publish(self, arguments: Mapping[str, Any]) -> None:
        for client in self._clients.values():
            if not client.settled:  # Else the change could overtake the request.
                await client.quiet()
                client.settled = True
        self._world.change(arguments)
        await self._subject.publish(self._world.documents(), complete=self._world.complete)

    async def _expect(self, client: Client, arguments: Mapping[str, Any]) -> None:
        response = await client.next()
        wanted = (arguments["type"], sorted(arguments.get("names", [])), sorted(arguments.get("removed", [])))
        may = set(arguments.get("may", []))
        got = (response.kind, [n for n in visible(response.bodies) if n not in may], visible(response.removed))
        if got != wanted:
            raise MismatchError(f"expected {wanted}, got {got}")
        self._compare("body", arguments, dict(sorted(response.bodies.items())))
        self._compare("version", arguments, response.version or dict(sorted(response.versions.items())))
        self._compare("nonce", arguments, response.nonce)
        if arguments.get("ack", True):
            await client.acknowledge(response.kind)

    def _compare(self, what: str, arguments: Mapping[str, Any], value: Any) -> None:
        for relation, word in arguments.get(what, {}).items():
            if relation == "as":
                self._remembered[word] = value
            elif (relation == "same") != (self._remembered[word] == value):
                raise MismatchError(f"{what} should be {relation} as {word}: {value!r}, {self._remembered[word]!r}")

    async def _end(self, client: Client, code: str) -> None:
        try:
            raw = await asyncio.wait_for(client.wire.receive(), self._subject.patience)
        except TimeoutError:
            raise MismatchError("expected the stream to end, it lives") from None
        except StreamEndedError as error:
            if error.code != code:
                raise MismatchError(f"expected {code}, got {error.code}") from error
            return
        raise MismatchError(f"expected the stream to end, got {describe(parse(self._scenario.variant, raw))}")
