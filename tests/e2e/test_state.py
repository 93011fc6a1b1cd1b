"""What a state directory is for: a control plane that is killed and comes back goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from lookaside.api.lbcontrol.v1 import common_pb2
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from tests.support.control_plane import ControlPlane, services_yaml

WEIGHTS = {"127.0.0.1:50051": 1, "127.0.0.1:50052": 3}
PATIENCE = 60.0

Answer = TypeVar("Answer", bound=Message)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane with a state directory, not started yet."""
    made = ControlPlane(tmp_path / "plane", state=True)
    yield made
    made.kill9()


def ask(plane: ControlPlane, method: str, request: Message, answer: type[Answer]) -> Answer:
    """Make one call of the native API."""
    with grpc.insecure_channel(plane.grpc) as channel:
        call: Callable[..., bytes] = channel.unary_unary(f"/lbcontrol.v1.LookasideService/{method}")
        return answer.FromString(call(request.SerializeToString(), timeout=10.0))


def register(plane: ControlPlane, *ports: int) -> None:
    """Register backends of this host."""
    for port in ports:
        request = pb.RegisterRequest(service="self", address=f"127.0.0.1:{port}", weight=port)
        ask(plane, "Register", request, pb.RegisterResponse)


def weights(plane: ControlPlane, service: str) -> dict[str, int]:
    """Weight by address of what clients are told of a service."""
    found = ask(plane, "GetAssignment", pb.GetAssignmentRequest(service=service), pb.GetAssignmentResponse)
    return {each.address: each.weight for each in found.assignment.endpoints}


def serving(plane: ControlPlane, service: str) -> set[str]:
    """Addresses that get new calls."""
    found = ask(plane, "GetAssignment", pb.GetAssignmentRequest(service=service), pb.GetAssignmentResponse)
    return {each.address for each in found.assignment.endpoints if each.health == common_pb2.HEALTH_SERVING}


def summary(plane: ControlPlane, service: str) -> pb.ServiceSummary:
    """What ListServices says of a service."""
    listed = ask(plane, "ListServices", pb.ListServicesRequest(), pb.ListServicesResponse)
    return next(each for each in listed.services if each.name == service)


def until(question: Callable[[], bool]) -> None:
    """Wait for something that has no event to wait for."""
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def saved(plane: ControlPlane, *words: str) -> bool:
    """Whether one document of the state directory holds all these words."""
    texts = [path.read_text(errors="replace") for path in (plane.log.parent / "state").rglob("*.json")]
    return any(all(word in text for word in words) for text in texts)


def test_last_good_is_served_as_stale_while_the_source_is_missing(plane: ControlPlane) -> None:
    """After kill -9 without its files it serves what it served before, says so, and does not call the rest unknown."""
    plane.start({"greeter.yaml": services_yaml("greeter", WEIGHTS, aliases=["hello"])})
    until(lambda: saved(plane, "greeter", "50052"))
    before = summary(plane, "greeter").mark
    plane.kill9()
    hidden = plane.files.rename(plane.files.with_suffix(".hidden"))
    plane.begin()
    plane.wait_until_ready()
    assert weights(plane, "greeter") == weights(plane, "hello") == WEIGHTS
    assert list(summary(plane, "greeter").stale_sources) == ["last-good"]
    restored = summary(plane, "greeter").mark
    assert restored.epoch > before.epoch
    hidden.rename(plane.files)
    until(lambda: not summary(plane, "greeter").stale_sources)
    assert weights(plane, "greeter") == WEIGHTS
    assert summary(plane, "greeter").mark.revision > restored.revision


def test_marks_grow_over_restarts(plane: ControlPlane) -> None:
    """However often it is killed, a later mark is greater: clients never take news for old."""
    plane.start({"greeter.yaml": services_yaml("greeter", WEIGHTS)})
    marks = []
    for weight in (5, 6, 7):
        plane.write({"greeter.yaml": services_yaml("greeter", {**WEIGHTS, "127.0.0.1:50051": weight})})
        until(lambda weight=weight: weights(plane, "greeter")["127.0.0.1:50051"] == weight)  # type: ignore[misc]
        mark = summary(plane, "greeter").mark
        marks.append((mark.epoch, mark.revision))
        plane.restart()
    assert marks == sorted(set(marks))


def test_registrations_survive_a_restart(plane: ControlPlane) -> None:
    """All backends are there at once, and one that renews does not push out the others."""
    plane.start({"greeter.yaml": services_yaml("greeter", WEIGHTS)})
    register(plane, 1, 2, 3)
    until(lambda: saved(plane, "registrations/self", '"port":3'))
    plane.restart()
    assert weights(plane, "self") == {f"127.0.0.1:{port}": port for port in (1, 2, 3)}
    register(plane, 2)
    until(lambda: not summary(plane, "self").stale_sources)
    assert weights(plane, "self") == {f"127.0.0.1:{port}": port for port in (1, 2, 3)}
    with pytest.raises(grpc.RpcError) as caught:
        weights(plane, "never-there")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_second_process_serves_beside_the_first_and_takes_over_what_operators_said(tmp_path: Path) -> None:
    """As in a rolling update: ready at once, writes refused until the first ends, its newest drain in force then."""
    old, new = (ControlPlane(tmp_path / name) for name in ("old", "new"))
    config = tmp_path / "server.yaml"
    config.write_text("apiVersion: lbcontrol.io/v1alpha1\nkind: Server\nstateDir: state\ntakeOver: true\n")
    for plane in (old, new):
        plane.flags = ("--config", str(config))
    try:
        first, second = WEIGHTS
        old.start({"greeter.yaml": services_yaml("greeter", WEIGHTS)})
        old.drain("greeter", first)
        new.start({"greeter.yaml": services_yaml("greeter", WEIGHTS)})
        assert serving(new, "greeter") == {second}
        with pytest.raises(grpc.RpcError) as caught:
            new.drain("greeter", second)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        old.cli("undrain", "greeter", first)
        old.drain("greeter", second)
        old.kill9()
        until(lambda: serving(new, "greeter") == {first})
        new.cli("undrain", "greeter", second)
        assert serving(new, "greeter") == {first, second}
    finally:
        old.kill9()
        new.kill9()
