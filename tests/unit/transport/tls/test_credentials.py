"""Certificates that change while they are in force: what replaces them, what does not, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbcontrol.model.errors import ConfigError
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.transport.tls import credentials as module
from lbcontrol.transport.tls.credentials import KEPT, Credentials
from lbcontrol.transport.tls.files import TlsFiles
from lbcontrol.transport.tls.material import MovedError, digest, read_material
from tests.support.pki import Pair, Pki, make_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for all tests here."""
    return make_pki(tmp_path_factory.mktemp("pki"))


class Kept:
    """Credentials on files that a test changes."""

    def __init__(self, home: Path, pki: Pki) -> None:
        self.home, self.metrics = home, Metrics()
        pair = pki.server.copied(home)
        self.bundle = home / "ca.crt"
        self.bundle.write_bytes(pki.authority.cert.read_bytes())
        self.files = TlsFiles(pair.cert, pair.key, self.bundle)
        now = read_material(self.files).not_before + 3_600.0
        self.clock = FakeClock(wall=now)
        self.credentials = Credentials(self.files, self.clock, metrics=self.metrics)
        self.changes = 0
        self.credentials.watch(self.changed)

    def changed(self) -> None:
        """Count."""
        self.changes += 1

    async def settle(self) -> None:
        """Look until a change has held still and was read."""
        for _ in range(3):
            await self.credentials.poll_once()

    def valid(self, path: Path) -> float | None:
        """``config_valid`` of a file."""
        return self.metrics.registry.get_sample_value("lbcontrol_config_valid", {"file": str(path)})

    def codes(self) -> list[str]:
        """What operators are told."""
        return [each.code for each in self.credentials.findings()]


async def test_new_pair_replaces_the_old_one_and_is_told(pki: Pki, tmp_path: Path) -> None:
    """The context is another, the metric follows, watchers are called once; nothing happens without a change."""
    kept = Kept(tmp_path, pki)
    first = kept.credentials.material
    await kept.settle()
    assert kept.credentials.material is first
    newer = pki.authority.issue("newer", "DNS:localhost", days=25)
    newer.copied(tmp_path)
    await kept.settle()
    assert kept.credentials.material.not_after > first.not_after
    assert (kept.changes, kept.codes()) == (1, [])
    told = kept.metrics.registry.get_sample_value(
        "lbcontrol_cert_expiry_timestamp_seconds", {"file": str(kept.files.cert)}
    )
    assert told == kept.credentials.material.not_after


async def test_half_a_change_never_replaces_a_whole_pair(pki: Pki, tmp_path: Path) -> None:
    """A new certificate beside the old key is a finding; with its key it is taken; what was in force served on."""
    kept = Kept(tmp_path, pki)
    first = kept.credentials.material
    newer = pki.authority.issue("newer", "DNS:localhost")
    Pair(newer.cert, pki.server.key).copied(tmp_path)
    await kept.settle()
    assert kept.credentials.material is first
    assert [(each.code, each.effect) for each in kept.credentials.findings()] == [("LB512", KEPT)]
    assert kept.valid(kept.files.cert) == 0.0
    newer.copied(tmp_path)
    await kept.settle()
    assert kept.credentials.material is not first
    assert (kept.codes(), kept.valid(kept.files.cert), kept.changes) == ([], 1.0, 1)


async def test_missing_and_cut_files_keep_what_is_in_force(pki: Pki, tmp_path: Path) -> None:
    """Whatever happens to the files, there is always something to serve with; going back is a change, too."""
    kept = Kept(tmp_path, pki)
    whole = kept.files.key.read_bytes()
    kept.files.key.unlink()
    await kept.settle()
    assert kept.codes() == ["LB511"]
    kept.files.key.write_bytes(whole[:50])
    await kept.settle()
    assert kept.codes() == ["LB512"]
    kept.bundle.write_bytes(b"")
    await kept.settle()
    assert kept.changes == 0
    kept.bundle.write_bytes(pki.authority.cert.read_bytes())
    kept.files.key.write_bytes(whole)
    await kept.settle()
    assert kept.codes() == []


async def test_expired_certificate_never_replaces_one_that_is_valid(pki: Pki, tmp_path: Path) -> None:
    """Yet when neither is, the new one is as good as the old one, and both are told."""
    kept = Kept(tmp_path, pki)
    pki.authority.issue("short", "DNS:localhost", days=1).copied(tmp_path)
    kept.clock.jump_wall(2 * 86_400.0)
    await kept.settle()
    assert (kept.changes, kept.codes()) == (0, ["LB515"])
    kept.clock.jump_wall(30 * 86_400.0)
    kept.files.cert.touch()
    await kept.settle()
    assert kept.changes == 1


async def test_swapped_symlink_is_a_change(pki: Pki, tmp_path: Path) -> None:
    """ConfigMaps and Secrets are directories that a symlink points to, exchanged in one rename."""
    for name, pair in (("one", pki.server), ("two", pki.authority.issue("two", "DNS:localhost", days=25))):
        (tmp_path / name).mkdir()
        pair.copied(tmp_path / name)
    (tmp_path / "..data").symlink_to("one")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    files = TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    credentials = Credentials(files, FakeClock(), metrics=Metrics())
    first = credentials.material
    (tmp_path / "..new").symlink_to("two")
    (tmp_path / "..new").rename(tmp_path / "..data")
    for _ in range(3):
        await credentials.poll_once()
    assert credentials.material.not_after > first.not_after


async def test_authority_that_is_taken_out_is_trusted_no_longer(pki: Pki, tmp_path: Path) -> None:
    """Who may vouch follows the bundle."""
    kept = Kept(tmp_path, pki)
    ours = next(iter(kept.credentials.material.anchors))
    kept.bundle.write_bytes(pki.authority.cert.read_bytes() + pki.other.cert.read_bytes())
    await kept.settle()
    assert kept.credentials.trusts(ours)
    kept.bundle.write_bytes(pki.other.cert.read_bytes())
    await kept.settle()
    assert not kept.credentials.trusts(ours)
    assert not kept.credentials.trusts(digest(b"nobody"))


async def test_files_that_never_hold_still_are_read_all_the_same(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patience has an end; what moved while it was read says nothing."""
    kept = Kept(tmp_path, pki)
    looks = iter(range(1_000))
    monkeypatch.setattr(module, "look", lambda _: {"cert": (next(looks),)})
    for _ in range(module.PATIENCE):
        await kept.credentials.poll_once()
    assert kept.changes == 0
    await kept.credentials.poll_once()
    assert kept.changes == 1

    def moved(files: TlsFiles) -> None:
        raise MovedError

    monkeypatch.setattr(module, "read_material", moved)
    for _ in range(module.PATIENCE + 2):
        await kept.credentials.poll_once()
    assert (kept.changes, kept.codes()) == (1, [])
    with pytest.raises(ConfigError, match="does not hold still"):
        Credentials(kept.files, kept.clock, metrics=kept.metrics)
