"""The server's configuration: defaults, paths, and every error at once with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import PlainValidator
from pydantic.alias_generators import to_camel

from lbcontrol.app.config import ServerConfig, load
from lbcontrol.app.config_document import LimitsDocument, ServerDocument
from lbcontrol.app.identities import authorizer_of
from lbcontrol.app.limits import admin_limits, admin_messages, client_limits, native_limits, xds_limits
from lbcontrol.model.clients import Identity, Role
from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.sources.documents.schema import keys, schema_of

HEAD = "apiVersion: lbcontrol.io/v1alpha1\nkind: Server\n"


def configured(home: Path, text: str = "", **overrides: str) -> ServerConfig:
    """Load a file with this text after its head."""
    file = home / "server.yaml"
    file.write_text(HEAD + text)
    return load(
        str(file), sources_path=None, overrides={key.replace("_", "."): word for key, word in overrides.items()}
    )


def refused(home: Path, text: str) -> list[Finding]:
    """Return the findings about a file with this text."""
    with pytest.raises(ConfigError) as caught:
        configured(home, text)
    assert all(each.effect == "the server does not start" for each in caught.value.findings)
    return list(caught.value.findings)


def test_nothing_at_all_means_loopback_files_if_present_and_self_registration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a configuration the defaults hold, and ./lbcontrol.d is read when it is there."""
    monkeypatch.chdir(tmp_path)
    config = load(None, sources_path=None, overrides={})
    assert [str(each) for each in (config.grpc, config.admin, config.probe)] == [
        "127.0.0.1:18000",
        "127.0.0.1:18001",
        "127.0.0.1:18002",
    ]
    assert [each.type for each in config.sources] == ["registry"]
    assert (config.state_dir, config.insecure) == (None, False)
    (tmp_path / "lbcontrol.d").mkdir()
    found = load(None, sources_path=None, overrides={}).sources
    assert [(each.name, each.type) for each in found] == [("file", "file"), ("registry", "registry")]
    assert getattr(found[0].options, "path", None) == "lbcontrol.d"


def test_path_on_the_command_line_is_one_file_source_instead_of_those_configured(tmp_path: Path) -> None:
    """``serve PATH`` is short for a file source; other types of sources stay."""
    file = tmp_path / "server.yaml"
    file.write_text(f"{HEAD}sources: {{one: {{type: file, path: a}}, own: {{type: registry, services: 5}}}}")
    config = load(str(file), sources_path="b", overrides={})
    assert {each.name: getattr(each.options, "path", "-") for each in config.sources} == {"own": "-", "file": "b"}


def test_relative_paths_begin_where_the_file_is(tmp_path: Path) -> None:
    """Sources, state directory and sockets are found wherever the server is started."""
    config = configured(
        tmp_path, "stateDir: state\nlisten: {grpc: 'unix:run/g.sock'}\nsources: {s: {type: file, path: d}}"
    )
    assert config.state_dir == tmp_path / "state"
    assert config.admin.path == tmp_path / "state" / "admin.sock"
    assert config.grpc.path == tmp_path / "run" / "g.sock"
    assert getattr(config.sources[0].options, "path", None) == str(tmp_path / "d")


def test_command_line_is_stronger_than_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags overrule; their paths begin in the working directory; what is wrong with them names the flag."""
    monkeypatch.chdir(tmp_path)
    config = configured(tmp_path, "insecure: false", listen_grpc="[::1]:1", stateDir="s", insecure="true")
    assert (str(config.grpc), config.state_dir, config.insecure) == ("[::1]:1", tmp_path / "s", True)
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, listen_grpc="nowhere", listen_probe="unix:x")
    assert [(each.code, each.at) for each in caught.value.findings] == [("LB115", "--grpc"), ("LB115", "--probe")]


def test_every_error_is_told_at_once_with_its_line_and_key(tmp_path: Path) -> None:
    """One run shows all that is wrong with a file."""
    text = """
listen: {grpc: "127.0.0.1:99999", probe: "unix:probe.sock", port: 3}
startupGrace: 10
limits: {streams: 0}
registration: {allow: [10.0.0.1/8]}
sources:
  one: {type: fil, path: x}
  two: {type: file, pth: x}
  three: {type: registry}
  four: {type: registry}
insecure: "no"
"""
    found = {(each.code, each.at.removeprefix(f"{tmp_path}/server.yaml:")) for each in refused(tmp_path, text)}
    assert found == {
        ("LB115", "4, listen.grpc"),
        ("LB115", "4, listen.probe"),
        ("LB104", "4, listen.port"),
        ("LB119", "5, startupGrace"),
        ("LB116", "6, limits.streams"),
        ("LB115", "7, registration.allow[0]"),
        ("LB103", "9, sources.one.type"),
        ("LB104", "10, sources.two.pth"),
        ("LB105", "10, sources.two.path"),
        ("LB122", "12, sources.four"),
        ("LB106", "13, insecure"),
    }


LATER = {
    "listen.web": "listen: {web: '127.0.0.1:1'}",
    "dial": "dial: {}",
    "admin": "admin: {write: true}",
    "bus.type": "bus: {type: nats}",
    "sources.k.type": "sources: {k: {type: consul}}",
}
"""Key to what people will write once a later version has it."""


@pytest.mark.parametrize("key", LATER)
def test_what_has_no_effect_yet_is_refused(key: str, tmp_path: Path) -> None:
    """A key that would do nothing is an error, not a disappointment."""
    finding = refused(tmp_path, LATER[key])[0]
    assert finding.code == "LB107"
    assert finding.what.endswith("is not supported yet")
    assert finding.at.endswith(f", {key}")


def in_force(limits: LimitsDocument) -> list[object]:
    """Return what the parts of a server make of limits."""
    parts = (client_limits, admin_limits, xds_limits, native_limits, admin_messages)
    return [part(limits) for part in parts]


def limited(name: str) -> tuple[str, Callable[[ServerConfig], object]]:
    """Return a document with another value of one limit; it is seen by what some part of the server makes of it."""
    default = LimitsDocument.model_fields[name].default
    is_duration = any(isinstance(each, PlainValidator) for each in LimitsDocument.model_fields[name].metadata)
    value = "77s" if is_duration else "77777" if name.endswith("window_bytes") else "77"
    assert default != float(value.removesuffix("s"))
    text = f"limits: {{{to_camel(name)}: {value}}}"
    return text, lambda c: in_force(c.document.limits) != in_force(LimitsDocument())


TLS = "cert: {0}.crt, key: {0}.key, clientCa: {0}.ca, requireClientCert: false, minVersion: TLSv1.3"
TLS_FIELDS = {
    "cert": ("cert", "{}.crt"),
    "key": ("key", "{}.key"),
    "clientCa": ("client_ca", "{}.ca"),
    "requireClientCert": ("require_client_cert", "False"),
    "minVersion": ("min_version", "TLSv1.3"),
}


def _tls_effects() -> dict[str, tuple[str, Callable[[ServerConfig], object]]]:
    """Every key of ``tls``: for both listeners, and for one of them."""

    def arrived(listener: str, key: str, word: str) -> Callable[[ServerConfig], object]:
        field, value = TLS_FIELDS[key]
        return lambda config: str(getattr(getattr(config.tls, listener), field)).endswith(value.format(word))

    found = {}
    for key in TLS_FIELDS:
        found[f"tls.{key}"] = (f"tls: {{{TLS.format('all')}}}", arrived("grpc", key, "all"))
        for listener in ("grpc", "admin"):
            text = f"tls: {{cert: c, key: k, clientCa: a, {listener}: {{{TLS.format('own')}}}}}"
            found[f"tls.{listener}.{key}"] = (text, arrived(listener, key, "own"))
    return found


X1 = Identity("x1", authenticated=True)
SHOP = Identity("system:serviceaccount:shop:web", authenticated=True)
RULES = "authorization: {rules: [{roles: [read], identities: ['x*'], services: ['*.shop']}]}"


def _login_has(key: str) -> Callable[[ServerConfig], object]:
    def has(config: ServerConfig) -> bool:
        login = config.document.authentication
        return login is not None and getattr(login.kubernetes, key) == "x"

    return has


EFFECTS: dict[str, tuple[str, Callable[[ServerConfig], object]]] = {
    "apiVersion": ("", lambda c: c.document.api_version == "lbcontrol.io/v1alpha1"),
    "kind": ("", lambda c: c.document.kind == "Server"),
    "listen.grpc": ("listen: {grpc: '127.0.0.1:7'}", lambda c: c.grpc.port == 7),
    "listen.admin": ("listen: {admin: '127.0.0.1:7'}", lambda c: c.admin.port == 7),
    "listen.probe": ("listen: {probe: '127.0.0.1:7'}", lambda c: c.probe.port == 7),
    "sources": ("sources: {s: {type: file, path: x}}", lambda c: c.sources[0].name == "s"),
    "stateDir": ("stateDir: s", lambda c: str(c.state_dir).endswith("/s")),
    "takeOver": ("stateDir: s\ntakeOver: true", lambda c: c.document.take_over),
    "insecure": ("insecure: true", lambda c: c.insecure),
    "registration.allow": ("registration: {allow: [10.0.0.0/8]}", lambda c: c.document.registration.allow),
    **_tls_effects(),
    **{
        f"authentication.kubernetes.{key}": (f"authentication: {{kubernetes: {{{key}: x}}}}", _login_has(key))
        for key in ("audience", "kubeconfig", "context")
    },
    "authorization.ownNamespace": (
        "authorization: {ownNamespace: false}",
        lambda c: not authorizer_of(c.document).allows(SHOP, Role.READ, "a.shop"),
    ),
    "authorization.rules": (RULES, lambda c: authorizer_of(c.document).allows(X1, Role.READ, "a.shop")),
    "startupGrace": ("startupGrace: 1s", lambda c: c.document.startup_grace == 1.0),
    "shutdownGrace": ("shutdownGrace: 1s", lambda c: c.document.shutdown_grace == 1.0),
    "controlInterval": ("controlInterval: 500ms", lambda c: c.document.control_interval == 0.5),
    "bus.type": ("bus: {type: memory}", lambda c: c.document.bus.type == "memory"),
    "transport": ("transport: grpcio", lambda c: c.transport == "grpcio"),
    "memory.limit": ("memory: {limit: 512Mi}", lambda c: c.document.memory.limit == 512 << 20),
    **{f"limits.{to_camel(name)}": limited(name) for name in LimitsDocument.model_fields},
}
"""Key to a document that writes it, and how that can be seen."""


@pytest.mark.parametrize("key", EFFECTS)
def test_what_is_accepted_arrives(key: str, tmp_path: Path) -> None:
    """A key that is accepted is in the configuration."""
    text, arrived = EFFECTS[key]
    assert arrived(configured(tmp_path, text))


def test_every_key_of_the_schema_is_tried_above() -> None:
    """No key without an effect or a refusal."""
    leaves, parents = set(), set()
    for path, _ in keys(schema_of(ServerDocument)):
        name = path.removeprefix(".")
        leaves.add(name.split("[")[0].rstrip("."))
        parents.add(name.rpartition(".")[0])
    assert leaves - parents == set(EFFECTS) | (set(LATER) - {"sources.k.type"})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("kind: ServicePolicy\n", "LB114"),
        ("services: []\n", "LB105"),
        ("- a\n", "LB106"),
        ("", "LB105"),
        ("kind: Server\n---\nkind: Server\n", "LB125"),
        ("a: [\n", "LB101"),
    ],
)
def test_a_file_that_is_something_else_is_refused(text: str, code: str, tmp_path: Path) -> None:
    """A service file, a list, nothing, two documents, no YAML: each has its own words."""
    file = tmp_path / "server.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(str(file), sources_path=None, overrides={})
    assert caught.value.finding.code == code


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The path that was meant stands in the message."""
    with pytest.raises(ConfigError, match=r"LB130: cannot read the configuration .*none\.yaml"):
        load(str(tmp_path / "none.yaml"), sources_path=None, overrides={})


@pytest.mark.parametrize("entry", ["text", "[a]"])
def test_a_source_that_is_no_mapping_is_refused(entry: str, tmp_path: Path) -> None:
    """The message says what a source looks like."""
    finding = refused(tmp_path, f"sources: {{one: {entry}}}")[0]
    assert (finding.code, finding.why) == ("LB106", "wanted: a mapping with the key type")


def test_taking_over_needs_something_to_take_over(tmp_path: Path) -> None:
    """Without a state directory the key does nothing, and that is said with its line."""
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, "takeOver: true")
    (finding,) = caught.value.findings
    assert (finding.code, finding.do) == ("LB510", "set stateDir")
    assert finding.at.endswith(":3, takeOver")


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("{roles: [rule], identities: [a]}", 'unknown item of roles "rule"'),
        ("{roles: [], identities: [a]}", "roles"),
        ("{roles: [read]}", "identities"),
        ("{roles: [read], identities: [a*b]}", "a*b"),
        ("{roles: [read], identities: ['*a*']}", "*a*"),
        ("{roles: [read], identities: [''], services: [x]}", "pattern"),
        ("{roles: [read], identities: [a], services: ['a.*.b']}", "a.*.b"),
        ("{roles: [read], identities: [a], service: [x]}", "service"),
    ],
)
def test_rules_that_mean_nothing_are_refused(tmp_path: Path, rule: str, what: str) -> None:
    """With the key or the value in the words: a rule that is misread is a door left open."""
    findings = refused(tmp_path, f"authorization: {{rules: [{rule}]}}")
    assert any(what in f"{each.at} {each.what}" for each in findings), findings
