"""`lbcontrol serve` as a process: ready, probed, stopped in good order, restarted, refused."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.support.control_plane import ControlPlane, lbcontrol, services_yaml
from tests.support.watchers import WATCH, watching

FIRST, SECOND = "127.0.0.1:50051", "127.0.0.1:50052"
SERVICES = {"greeter.yaml": services_yaml("greeter", {FIRST: 1, SECOND: 3})}


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane that has not been started."""
    made = ControlPlane(tmp_path / "plane")
    yield made
    made.kill9()


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[ControlPlane]:
    """The same with a state directory."""
    made = ControlPlane(tmp_path / "plane", state=True)
    yield made
    made.kill9()


def page(plane: ControlPlane, path: str) -> tuple[int, str]:
    """Return code and text of a page of the probe listener."""
    try:
        with urllib.request.urlopen(f"http://{plane.probe}{path}", timeout=5.0) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def send(plane: ControlPlane, number: int = signal.SIGTERM) -> subprocess.Popen[bytes]:
    """Send a signal and return the process."""
    assert plane.proc is not None
    plane.proc.popen.send_signal(number)
    return plane.proc.popen


def refused(*args: str) -> str:
    """Run ``serve`` where it cannot start; return what it says."""
    done = subprocess.run([lbcontrol(), "serve", *args], capture_output=True, text=True, timeout=60.0, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def log(plane: ControlPlane) -> str:
    """What the process has written to stderr."""
    return plane.log.read_text()


def test_ready_process_answers_on_all_three_listeners(plane: ControlPlane) -> None:
    """Probe pages, metrics, clients' and operators' listener, and the lines of the log that say where."""
    plane.start(SERVICES)
    assert page(plane, "/livez") == (200, "ok\n")
    assert page(plane, "/readyz?verbose") == (200, "ready\nsource file: synced\nsource registry: synced\n")
    metrics = plane.metrics()
    assert metrics["lbcontrol_ready"] == 1.0
    assert metrics["lbcontrol_services"] == 1.0
    assert metrics['lbcontrol_streams{protocol="xds"}'] == 0.0
    assert metrics["lbcontrol_streams_limit"] == 20_000.0
    assert "greeter" in plane.cli("services", "--server", plane.grpc)
    assert "file" in plane.cli("sources")
    text = log(plane)
    assert f"event=listening grpc={plane.grpc} admin={plane.admin} probe={plane.probe}" in text
    assert "event=ready services=1" in text
    assert "authorization: off" in text


def test_operators_methods_are_not_served_to_clients(plane: ControlPlane) -> None:
    """Drain is UNIMPLEMENTED on the clients' listener, and nothing of xDS is on the operators'."""
    plane.start(SERVICES)
    for target, path in ((plane.grpc, "/lbcontrol.v1.AdminService/Drain"), (plane.admin, WATCH)):
        with grpc.insecure_channel(target) as channel:
            call: Callable[..., bytes] = channel.unary_unary(path)
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=5.0)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_sigterm_ends_streams_one_after_the_other_and_exits_zero(plane: ControlPlane) -> None:
    """Not ready at once, no new stream, the open ones end with UNAVAILABLE and not all together."""
    await asyncio.to_thread(plane.start, SERVICES)
    async with watching(plane.grpc, "greeter", count=12) as watchers:
        process = send(plane)
        ends = [asyncio.create_task(each.end()) for each in watchers]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        assert await asyncio.to_thread(page, plane, "/readyz") == (503, "stopping\n")
        errors = await asyncio.gather(*ends)
        assert {error.details() for error in errors} == {"server is shutting down"}
        assert {error.code() for error in errors} == {grpc.StatusCode.UNAVAILABLE}
        times = sorted(each.ended_at for each in watchers)
        assert times[-1] - times[0] > 1.0
        assert await asyncio.to_thread(process.wait, 60.0) == 0
    assert "event=stopped" in log(plane)


async def test_second_signal_ends_at_once(plane: ControlPlane) -> None:
    """Whoever asks twice does not wait for the grace period."""
    await asyncio.to_thread(plane.start, SERVICES)
    async with watching(plane.grpc, "greeter", count=40) as watchers:
        process = send(plane, signal.SIGINT)
        ends = [asyncio.create_task(each.end()) for each in watchers]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        began = time.monotonic()
        send(plane, signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 60.0) == 0
        assert time.monotonic() - began < 4.0
        await asyncio.gather(*ends)


def test_sigterm_during_the_start_ends_in_good_order(plane: ControlPlane) -> None:
    """A signal that comes before anything listens is kept."""
    plane.write(SERVICES)
    code = "import os, signal, sys; import lbcontrol.app.stop as s; real = s.StopOrder.install\n"
    code += "def install(self):\n    real(self); os.kill(os.getpid(), signal.SIGTERM)\n"
    code += "s.StopOrder.install = install\nfrom lbcontrol.app.cli import main\nmain()\n"
    argv = [sys.executable, "-c", code, "serve", str(plane.files), "--grpc", plane.grpc, "--admin", plane.admin]
    done = subprocess.run([*argv, "--probe", plane.probe], capture_output=True, text=True, timeout=60.0, check=False)
    assert done.returncode == 0, done.stderr
    assert "event=stopped" in done.stderr


def test_taken_port_is_an_error_with_a_next_step(plane: ControlPlane) -> None:
    """Each listener's port: LB501, the process that has it, exit 1, and nothing left listening."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        others = {"--grpc": plane.grpc, "--admin": plane.admin, "--probe": plane.probe}
        for flag in others:
            flags = [word for pair in {**others, flag: address}.items() for word in pair]
            said = refused(str(plane.files), *flags)
            assert f"error LB501: cannot listen on {address}: in use by pid {os.getpid()}" in said
            host, _, port = address.rpartition(":")
            assert re.search(rf"do:     lbcontrol serve {flag} {host}:\d+, or stop pid {os.getpid()}", said)
            assert f"{host}:{port}," not in said
    plane.start(SERVICES)


def test_open_listener_without_login_is_refused_unless_called_insecure(plane: ControlPlane) -> None:
    """LB505 before anything listens; with the flag it starts."""
    port = plane.grpc.rpartition(":")[2]
    assert "error LB505" in refused(str(plane.files), "--grpc", f"0.0.0.0:{port}")
    plane.grpc, plane.flags = f"0.0.0.0:{port}", ("--insecure",)
    plane.start(SERVICES)


def test_drain_survives_a_crash_with_a_state_directory(durable: ControlPlane) -> None:
    """What was acknowledged is in force after kill -9, the socket of operators is theirs alone, revisions go on."""
    home = durable.log.parent / "state"
    durable.admin = f"unix:{home}/admin.sock"
    durable.start(SERVICES)
    assert stat.S_IMODE((home / "admin.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    durable.cli("drain", "greeter", SECOND, "--reason", "deploy")
    durable.restart()
    assert "draining" in durable.cli("why", "greeter", SECOND, "--server", durable.grpc)
    durable.cli("undrain", "greeter", SECOND)


def test_second_process_on_one_state_directory_is_refused(durable: ControlPlane) -> None:
    """Two owners of one directory would write over each other: LB901."""
    durable.start(SERVICES)
    said = refused(str(durable.files), *durable.flags, "--admin", "127.0.0.1:0", "--probe", "127.0.0.1:0")
    assert "error LB901" in said


def test_without_a_state_directory_a_drain_is_lost_and_says_so(plane: ControlPlane) -> None:
    """The warning comes with the drain, and the restart keeps its word."""
    plane.start(SERVICES)
    argv = [lbcontrol(), "drain", "greeter", SECOND, "--admin", plane.admin]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60.0, check=False)
    assert "LB902: lost on restart" in done.stderr
    plane.restart()
    assert "draining" not in plane.cli("why", "greeter", SECOND, "--server", plane.grpc)


async def test_streams_are_accepted_and_silent_until_the_sources_have_synced(plane: ControlPlane) -> None:
    """A late source makes nobody unknown: the stream waits, and is answered once the files are there."""
    hidden = plane.files.rename(plane.files.with_suffix(".hidden"))
    await asyncio.to_thread(plane.begin)
    async with asyncio.timeout(60.0):
        while "event=listening" not in log(plane):  # noqa: ASYNC110  a log has no event to wait for
            await asyncio.sleep(0.05)
        waiting = asyncio.create_task(_first_weights(plane))
        assert await asyncio.to_thread(page, plane, "/readyz") == (503, "syncing\n")
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done
        (hidden / "greeter.yaml").write_text(SERVICES["greeter.yaml"])
        hidden.rename(plane.files)
        assert await waiting == [1, 3]


async def _first_weights(plane: ControlPlane) -> list[int]:
    async with watching(plane.grpc, "greeter") as (watcher,):
        return [each.weight for each in watcher.last.assignment.endpoints]
