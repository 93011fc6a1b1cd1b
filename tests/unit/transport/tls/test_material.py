"""From files to what a listener serves with: what is refused, in which words, and what the dates say."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.transport.tls import files as files_module
from lbcontrol.transport.tls import material as material_module
from lbcontrol.transport.tls.files import TlsFiles
from lbcontrol.transport.tls.material import Material, MovedError, dated, digest, read_material, tried
from tests.support.pki import Pki, make_pki, openssl

DAY = 86_400.0


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for all tests here."""
    return make_pki(tmp_path_factory.mktemp("pki"))


def refused(cert: Path, key: Path, client_ca: Path | None = None) -> Finding:
    """Return why these files are not taken."""
    with pytest.raises(ConfigError) as caught:
        read_material(TlsFiles(cert, key, client_ca, places={"cert": "s.yaml:3, tls.cert"}))
    return caught.value.finding


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_what_is_right_is_tried_and_told(pki: Pki, version: str) -> None:
    """Dates of the certificate, and the authorities that may vouch for clients."""
    files = TlsFiles(pki.server.cert, pki.server.key, pki.authority.cert, min_version=version)
    made = read_material(files)
    assert made.not_after - made.not_before == pytest.approx(20 * DAY, abs=10.0)
    assert list(made.anchors) == [digest(_der(pki.authority.cert))]
    assert made.is_current(made.not_before)
    assert not made.is_current(made.not_after)
    assert dated(files, made, wall=made.not_before + DAY) == []
    assert tried(files, wall=made.not_before + DAY) == []


def _der(cert: Path) -> bytes:
    openssl("x509", "-in", str(cert), "-outform", "DER", "-out", str(cert.with_suffix(".der")))
    return cert.with_suffix(".der").read_bytes()


def test_wrong_pairs_are_refused_in_words(pki: Pki, tmp_path: Path) -> None:
    """Another certificate's key, what is cut off, what is for clients only, what wants a password."""
    server, cut, locked = pki.server, tmp_path / "cut", tmp_path / "locked.key"
    assert refused(server.cert, pki.client.key).why == "the key does not belong to the certificate"
    assert refused(server.cert, pki.client.key).at == "s.yaml:3, tls.cert"
    only_client = pki.authority.issue("only-client", "DNS:x", usage="clientAuth")
    assert "purpose" in refused(only_client.cert, only_client.key).why
    openssl("ec", "-in", str(server.key), "-aes256", "-passout", "pass:word", "-out", str(locked))
    assert "encrypted" in refused(server.cert, locked).why
    for content in (
        b"",
        server.cert.read_bytes()[:300],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ):
        cut.write_bytes(content)
        assert refused(cut, server.key).code == "LB512"
        assert refused(server.cert, cut).code == "LB512"


def test_wrong_bundles_are_refused_in_words(pki: Pki, tmp_path: Path) -> None:
    """Nothing in it, half of something, or nobody who may vouch."""
    bundle, server = tmp_path / "bundle", pki.server
    bundle.write_bytes(b"")
    assert "no certificate" in refused(server.cert, server.key, bundle).why
    bundle.write_bytes(pki.authority.cert.read_bytes() + pki.other.cert.read_bytes()[:200])
    assert "no whole certificate" in refused(server.cert, server.key, bundle).why
    bundle.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
    assert refused(server.cert, server.key, bundle).code == "LB513"
    assert "vouch" in refused(server.cert, server.key, server.cert).why


def test_files_that_cannot_be_read_are_told_apart(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, a directory, too long; ``validate`` warns of a missing one, and tells of the others."""
    server = pki.server
    assert refused(tmp_path / "none", server.key).why == "No such file or directory"
    assert refused(tmp_path, server.key).why == "Is a directory"
    found = tried(TlsFiles(tmp_path / "none", server.key), wall=0.0)
    assert [(each.code, each.severity) for each in found] == [("LB511", Severity.WARNING)]
    assert [each.code for each in tried(TlsFiles(server.cert, pki.client.key), wall=0.0)] == ["LB512"]
    monkeypatch.setattr(files_module, "MAX_BYTES", 10)
    assert "more than 10 bytes" in refused(server.cert, server.key).why


def test_file_that_changes_while_it_is_read_says_nothing(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is right nor what is wrong counts when the files look different afterwards."""
    looks = iter(range(100))
    monkeypatch.setattr(material_module, "look", lambda _: {"cert": (next(looks),)})
    for key in (pki.server.key, pki.client.key):
        with pytest.raises(MovedError):
            read_material(TlsFiles(pki.server.cert, key))
    assert tried(TlsFiles(pki.server.cert, pki.server.key), wall=0.0) == []


def test_dates_are_told_before_and_after_they_matter(pki: Pki) -> None:
    """Within a week of its end, past it, before its beginning; authorities likewise."""
    files = TlsFiles(pki.server.cert, pki.server.key, pki.authority.cert)
    made = read_material(files)

    def codes(wall: float, of: Material = made) -> list[str]:
        return [each.code for each in dated(files, of, wall=wall)]

    assert codes(made.not_after - 2 * DAY) == ["LB514"]
    assert codes(made.not_after) == ["LB515"]
    assert codes(made.not_before - DAY) == ["LB515"]
    end = max(made.anchors.values())
    assert codes(end) == ["LB515", "LB515"]
