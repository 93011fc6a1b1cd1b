"""The ``tls`` of the server's configuration: what is inherited, what is missing, what would do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbcontrol.app.config import load
from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.transport.tls.files import TlsFiles

HEAD = "apiVersion: lbcontrol.io/v1alpha1\nkind: Server\n"


def written(home: Path, text: str) -> Path:
    """Write a server file with this text after its head."""
    file = home / "server.yaml"
    file.write_text(HEAD + text)
    return file


def refused(home: Path, text: str) -> list[Finding]:
    """Return the findings about a file with this text."""
    with pytest.raises(ConfigError) as caught:
        load(str(written(home, text)), sources_path=None, overrides={})
    assert all(each.effect == "the server does not start" for each in caught.value.findings)
    return list(caught.value.findings)


def test_both_listeners_inherit_and_each_may_differ(tmp_path: Path) -> None:
    """What a listener does not write is that of ``tls``; equal ones are read once; messages know the lines."""
    file = written(tmp_path, "tls:\n  cert: a.crt\n  key: a.key\n  clientCa: ca.crt\n")
    tls = load(str(file), sources_path=None, overrides={}).tls
    assert tls.grpc == tls.admin
    assert tls.every() == [tls.grpc]
    assert tls.grpc is not None
    assert (tls.grpc.cert, tls.grpc.client_ca) == (tmp_path / "a.crt", tmp_path / "ca.crt")
    assert tls.grpc.authenticates
    assert tls.grpc.at("key") == f"{file}:5, tls.key"
    file = written(tmp_path, "tls:\n  cert: a.crt\n  key: a.key\n  admin:\n    clientCa: /ops.crt\n")
    tls = load(str(file), sources_path=None, overrides={}).tls
    assert tls.grpc is not None
    assert tls.admin is not None
    assert (tls.grpc.client_ca, tls.admin.client_ca) == (None, Path("/ops.crt"))
    assert tls.admin.at("client_ca") == f"{file}:7, tls.admin.clientCa"
    assert len(tls.every()) == 2


def test_flags_overrule_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their paths begin in the working directory, and messages name the flag."""
    monkeypatch.chdir(tmp_path)
    flags = {"tls.cert": "c", "tls.key": "k", "tls.clientCa": "a"}
    tls = load(None, sources_path=None, overrides=flags).tls
    places = {"cert": "--tls-cert", "key": "--tls-key", "client_ca": "--tls-client-ca"}
    assert tls.grpc == TlsFiles(tmp_path / "c", tmp_path / "k", tmp_path / "a", places=places)


def test_unix_sockets_stay_plaintext(tmp_path: Path) -> None:
    """The operators' socket in the state directory is guarded by its mode."""
    tls = load(str(written(tmp_path, "stateDir: s\ntls: {cert: c, key: k}")), sources_path=None, overrides={}).tls
    assert tls.grpc is not None
    assert tls.admin is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tls: {cert: c}", [("LB510", "3, tls.cert")]),
        ("tls: {key: k}", [("LB510", "3, tls.key")]),
        ("tls: {cert: c, key: k, requireClientCert: true}", [("LB510", "3, tls.requireClientCert")]),
        ("stateDir: s\ntls: {cert: c, key: k, admin: {clientCa: a}}", [("LB510", "4, tls.admin")]),
        ("listen: {grpc: 'unix:g', admin: 'unix:a'}\ntls: {cert: c, key: k}", [("LB510", "4, tls")]),
        ("tls: {cert: c, key: k, minVersion: TLSv1.1}", [("LB103", "3, tls.minVersion")]),
        ("transport: grpcio\ntls: {cert: c, key: k, minVersion: TLSv1.3}", [("LB516", "4, tls.minVersion")]),
        (
            "transport: grpcio\ntls: {cert: c, key: k, clientCa: a, requireClientCert: false}",
            [("LB516", "4, tls.requireClientCert")],
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(text: str, wanted: list[tuple[str, str]], tmp_path: Path) -> None:
    """Each is told once, though two listeners inherit it."""
    found = [(each.code, each.at.removeprefix(f"{tmp_path}/server.yaml:")) for each in refused(tmp_path, text)]
    assert found == wanted
