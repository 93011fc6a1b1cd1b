"""``serve``, ``validate`` and ``schema`` hand over to the parts that do the work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lbcontrol.app.cli import run
from lbcontrol.app.config_tls import TlsConfig
from lbcontrol.model.endpoints import Address, Endpoint
from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.transport.tls.files import TlsFiles

BAD = Finding("LB103", 'unknown loadBalancer.type "RondRobin"', at="greeter.yaml:9")
ODD = Finding("LB127", "weights do not reach gRPC clients", severity=Severity.WARNING)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand-ins for configuration, server, validation and schema; remembers what they were asked."""
    asked: dict[str, Any] = {"findings": [], "tls": TlsConfig()}

    def load(path: str | None, *, sources_path: str | None, overrides: dict[str, str]) -> SimpleNamespace:
        asked["load"] = (path, sources_path, overrides)
        if asked["findings"]:
            raise ConfigError(*asked["findings"])
        return SimpleNamespace(tls=asked["tls"])

    def validate(paths: list[str]) -> tuple[list[Finding], list[ServiceSnapshot]]:
        asked["validate"] = paths
        ends = tuple(Endpoint(Address("127.0.0.1", port)) for port in (1, 2))
        return list(asked["findings"]), [ServiceSnapshot("greeter", "files", endpoints=ends)]

    def serve(config: SimpleNamespace) -> int:
        asked["run"] = config.tls
        return 0

    _put(monkeypatch, "lbcontrol.app.config", load=load)
    _put(monkeypatch, "lbcontrol.app.serve", run=serve)
    _put(monkeypatch, "lbcontrol.sources.validate", validate=validate)
    _put(monkeypatch, "lbcontrol.sources.documents.schema", json_schema=lambda: {"type": "object"})
    return asked


def _put(monkeypatch: pytest.MonkeyPatch, name: str, **functions: object) -> None:
    module = ModuleType(name)
    for word, function in functions.items():
        setattr(module, word, function)
    monkeypatch.setitem(sys.modules, name, module)


def test_serve_lets_the_command_line_overrule_the_file(parts: dict[str, Any]) -> None:
    """Only what was given is handed over, under the file's own keys; the server gets what load returns."""
    line = (
        "serve d/ --config s.yaml --grpc 127.0.0.1:1 --admin 127.0.0.1:2 --probe 127.0.0.1:3 --state-dir x --insecure"
        " --transport http2"
    )
    assert run(line.split()) == 0
    assert parts["load"] == (
        "s.yaml",
        "d/",
        {
            "listen.grpc": "127.0.0.1:1",
            "listen.admin": "127.0.0.1:2",
            "listen.probe": "127.0.0.1:3",
            "stateDir": "x",
            "transport": "http2",
            "insecure": "true",
        },
    )
    assert parts["run"] is parts["tls"]


def test_serve_without_anything_asks_for_the_defaults(parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The state directory may come from the environment, as for every other verb."""
    monkeypatch.setenv("LBCONTROL_STATE_DIR", "/state")
    assert run(["serve"]) == 0
    assert parts["load"] == (None, None, {"stateDir": "/state"})


def test_serve_prints_all_findings_of_a_bad_configuration(
    parts: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1, every finding, nothing started."""
    parts["findings"] = [BAD, ODD]
    assert run(["serve"]) == 1
    assert capsys.readouterr().err.count("LB1") == 2
    assert "run" not in parts


def test_validate_counts_what_is_well(parts: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Services and endpoints; a warning alone is no failure."""
    assert run(["validate", "a.yaml", "b.yaml"]) == 0
    assert capsys.readouterr().out == "1 service, 2 endpoints: ok\n"
    parts["findings"] = [ODD]
    assert run(["validate", "a.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "warning LB127: weights do not reach gRPC clients"
    assert parts["validate"] == ["a.yaml"]


def test_validate_prints_all_findings(parts: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, because they are the data; exit 4; JSON holds every field."""
    parts["findings"] = [BAD, ODD]
    assert run(["validate", "a.yaml"]) == 4
    printed = capsys.readouterr()
    assert (printed.out.splitlines()[-1], printed.err) == ("2 findings (1 error, 1 warning)", "")
    assert run(["validate", "a.yaml", "-o", "json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], [item["code"] for item in document["items"]]) == ("FindingList", ["LB103", "LB127"])
    assert set(document["items"][0]) == {"code", "what", "at", "why", "effect", "do", "severity"}


def test_validate_knows_a_server_file(
    parts: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is read as the server would read it; files of services go to their own check."""
    server, services = tmp_path / "lbcontrol.yaml", tmp_path / "greeter.yaml"
    server.write_text("apiVersion: lbcontrol.io/v1alpha1\nkind: Server\n")
    services.write_text("services: []\n# kind: Server\n")
    assert run(["validate", str(server), str(services)]) == 0
    assert (parts["load"], parts["validate"]) == ((str(server), None, {}), [str(services)])
    assert capsys.readouterr().out == "1 server file, 1 service, 2 endpoints: ok\n"
    parts["tls"] = TlsConfig(TlsFiles(tmp_path / "none.crt", tmp_path / "none.key"))
    assert run(["validate", str(server)]) == 0  # They may be where the server will run.
    assert "warning LB511" in capsys.readouterr().out
    parts["findings"] = [BAD]
    assert run(["validate", str(server)]) == 4


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_schema_prints_the_schema(parts: dict[str, Any], capsys: pytest.CaptureFixture[str], form: str) -> None:
    """As JSON, or as YAML for people."""
    assert run(["schema", "-o", form]) == 0
    printed = capsys.readouterr().out
    assert printed == ('{\n  "type": "object"\n}\n' if form == "json" else "type: object\n")
