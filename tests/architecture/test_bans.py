"""What must not be in the code: unsafe calls, connections out of the wrong place."""

from __future__ import annotations

import ast

from tests.architecture.code import PRODUCT, Source, sources

MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "telnetlib", "pty"})
CALLS = frozenset(
    {"eval", "exec", "compile", "os.system", "os.popen", "yaml.load", "yaml.load_all", "yaml.unsafe_load"}
)
DIALS = (
    "socket.create_connection",
    "socket.socket",
    "asyncio.open_connection",
    "asyncio.open_unix_connection",
    "aiohttp.ClientSession",
    "urllib.request.urlopen",
    "http.client.HTTPConnection",
    "http.client.HTTPSConnection",
    "grpc.insecure_channel",
    "grpc.secure_channel",
    "grpc.aio.insecure_channel",
    "grpc.aio.secure_channel",
)
MAY_DIAL = (
    "lbcontrol/app/",
    "lbcontrol/probes/",
    "lbcontrol/buses/",
    "lbcontrol/sources/kubernetes",
    "lbcontrol/sources/consul",
    "lbcontrol/sources/dns",
    "clients/python/lookaside/",
    "lbcontrol/transport/http2/server",  # Makes a Unix socket to listen on.
)
"""Everything else serves, and never calls out: what a document names must not be able to make us connect."""


def _calls(source: Source) -> list[tuple[int, str, ast.Call]]:
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    return [(node.lineno, ast.unparse(node.func), node) for node in nodes]


def test_code_uses_nothing_that_runs_data() -> None:
    """No pickle and its kin, no eval or exec, no YAML loader that builds objects, no shell."""
    wrong = []
    for source in sources(*PRODUCT):
        wrong += [f"{source.path}:{n} import {name}" for n, name in source.imports() if name.split(".")[0] in MODULES]
        for line, name, node in _calls(source):
            shell = any(word.arg == "shell" and not _is_false(word.value) for word in node.keywords)
            if name in CALLS or shell:
                wrong.append(f"{source.path}:{line} {name}")
    assert wrong == []


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_only_dialers_open_connections() -> None:
    """Sockets to elsewhere are opened by probes, buses, registry watchers and the command line alone."""
    wrong = [
        f"{source.path}:{line} {name}"
        for source in sources(*PRODUCT)
        if not source.path.startswith(MAY_DIAL)
        for line, name, _ in _calls(source)
        if name in DIALS
    ]
    assert wrong == []


def test_only_the_supervisor_catches_everything() -> None:
    """``except Exception`` and wider stand in supervision only: elsewhere they hide the error that matters."""
    wrong = []
    for source in sources("lbcontrol"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ExceptHandler) and "supervis" not in source.path:
                caught = "" if node.type is None else ast.unparse(node.type)
                if caught in {"", "Exception", "BaseException"} and not _reraises(node):
                    wrong.append(f"{source.path}:{node.lineno}")
    assert wrong == []


def _reraises(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Raise)
