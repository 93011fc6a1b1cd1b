"""How many cases of h2spec servers pass, each asked in the same way, with --strict and without.

The gRPC servers run with a service of theirs, Envoy answers every request by itself. Each run replaces its rows in
docs/reference/performance.json, from which docs/reference/performance.md is written.

Run: make bench-h2spec [ARGS="envoy grpc-go"]; without names all of them, some ten minutes, since peers let cases time
out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.fanout.changing import service
from benchmarks.fanout.servers import NotRunError, built, is_open
from benchmarks.results import Results, stamp
from tests.support.control_plane import ControlPlane
from tests.support.procs import free_port
from tests.support.waiting import wait_until

COMPONENTS = Path(__file__).parents[1] / "tests" / "components"
CASE_SECONDS = 2
"""How long h2spec waits for an answer: its default."""
SUMMARY = re.compile(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed")


def component(name: str) -> str:
    """Return the program that tests/components/``name`` installs.

    Raises:
        NotRunError: it cannot be installed here.
    """
    done = subprocess.run([COMPONENTS / name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRunError(done.stderr.strip() or f"{name} cannot be installed")
    return done.stdout.strip()


@contextlib.contextmanager
def ours(transport: str) -> Iterator[int]:
    """``lbcontrol serve``; yields its port."""
    with tempfile.TemporaryDirectory() as home:
        plane = ControlPlane(Path(home) / "plane", transport=transport)
        try:
            plane.start({"svc.yaml": "services:\n" + service(0, endpoints=2, zones=0)})
            yield int(plane.grpc.rpartition(":")[2])
        finally:
            plane.kill9()


@contextlib.contextmanager
def started(words: list[str], port: int) -> Iterator[int]:
    """Another server; yields its port."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: is_open(port), what="the server's port")
            yield port
        finally:
            process.kill()


@contextlib.contextmanager
def grpc_go() -> Iterator[int]:
    """The Go peer of the fan-out benchmark."""
    port = free_port()
    with started([str(built("gopeer")), "-port", str(port)], port) as found:
        yield found


@contextlib.contextmanager
def envoy() -> Iterator[int]:
    """Envoy as a server of HTTP/2 that answers with 200 and a body."""
    port, kind = free_port(), "type.googleapis.com/envoy.extensions.filters"
    answer = {"status": 200, "body": {"inline_string": "hello"}}
    routes = [{"match": {"prefix": "/"}, "direct_response": answer}]
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "codec_type": "HTTP2",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    config = {"static_resources": {"listeners": [{"name": "in", "address": address, "filter_chains": [chain]}]}}
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "envoy.json"
        path.write_text(json.dumps(config))
        words = [component("envoy"), "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id"]
        with started(words, port) as found:
            yield found


SUBJECTS: dict[str, tuple[str, Callable[[], contextlib.AbstractContextManager[int]]]] = {
    "http2": ("lbcontrol, transport http2", lambda: ours("http2")),
    "envoy": ("Envoy 1.40.0", envoy),
    "grpc-go": ("grpc-go (go-control-plane)", grpc_go),
    "grpc.aio": ("grpc.aio (lbcontrol, transport grpcio)", lambda: ours("grpcio")),
}


def counts(port: int, *, strict: bool) -> dict[str, int]:
    """Run all cases; return how many there are, passed, were skipped and failed."""
    words = [component("h2spec"), "-h", "127.0.0.1", "-p", str(port), "-o", str(CASE_SECONDS)]
    done = subprocess.run([*words, *(["--strict"] if strict else [])], capture_output=True, text=True, check=False)
    found = SUMMARY.search(done.stdout)
    if found is None:
        raise NotRunError(f"h2spec ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-200:]}")
    return dict(zip(("cases", "passed", "skipped", "failed"), map(int, found.groups()), strict=True))


def measure(subject: str) -> dict[str, object]:
    """Return the counts of one server, with --strict and without; each on a fresh one.

    Raises:
        NotRunError: it cannot be measured here.
    """
    row: dict[str, object] = dict(stamp())
    for word, strict in (("plain", False), ("strict", True)):
        with SUBJECTS[subject][1]() as port:
            row[word] = counts(port, strict=strict)
        print(f"{subject}, {word}: {row[word]}", file=sys.stderr)
    return row


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", help=f"of {', '.join(SUBJECTS)}")
    given = parser.parse_args()
    if unknown := set(given.subjects) - set(SUBJECTS):
        parser.error(f"{', '.join(sorted(unknown))}: wanted {', '.join(SUBJECTS)}")
    for subject in given.subjects or SUBJECTS:
        try:
            row: object = measure(subject)
        except NotRunError as error:
            row = str(error)
            print(f"NOT RUN: {subject}: {error}", file=sys.stderr)
        Results.keep("h2spec", "cases", {SUBJECTS[subject][0]: row})


if __name__ == "__main__":
    main()
