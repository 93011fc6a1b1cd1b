"""Looking at files that are not what they should be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.sources import file_scan
from lbcontrol.sources.documents.tree import MAX_BYTES
from lbcontrol.sources.file_scan import MovedError, look, read_seen


def problem(root: Path) -> Finding:
    """Return what is wrong with the only file of a directory."""
    (seen,) = look(str(root)).files
    assert seen.problem
    return seen.problem


def test_symlink_loop_is_told(tmp_path: Path) -> None:
    """Two links that lead to each other cannot be read, and say so."""
    (tmp_path / "a.yaml").symlink_to("b")
    (tmp_path / "b").symlink_to("a.yaml")
    finding = problem(tmp_path)
    assert (finding.code, finding.why) == ("LB202", "its symlinks lead in a circle")
    assert finding.what == f"{tmp_path}/a.yaml cannot be read"


def test_symlink_to_nothing_is_told(tmp_path: Path) -> None:
    """A link whose target is gone is a file that cannot be read, not a file that is gone."""
    (tmp_path / "a.yaml").symlink_to("gone")
    assert (problem(tmp_path).code, problem(tmp_path).why) == ("LB202", "its symlink leads nowhere")


def test_directory_and_pipe_are_not_read(tmp_path: Path) -> None:
    """A directory in the place of a file is told; a pipe too, and opening it would wait for ever."""
    (tmp_path / "a.yaml").mkdir()
    os.mkfifo(tmp_path / "b.yaml")
    findings = [seen.problem for seen in look(f"{tmp_path}/").files]
    assert [(each.code, each.what, each.severity) for each in findings if each] == [
        ("LB203", f"{tmp_path}/a.yaml is a directory and is not read", "warning"),
        ("LB203", f"{tmp_path}/b.yaml is not a regular file and is not read", "warning"),
    ]


def test_pipe_as_the_configured_path_is_unavailable(tmp_path: Path) -> None:
    """A path that is neither file nor directory says nothing about services."""
    os.mkfifo(tmp_path / "pipe")
    listing = look(str(tmp_path / "pipe"))
    assert listing.missing
    assert (listing.missing.code, listing.files) == ("LB203", ())


def test_missing_and_forbidden_paths_are_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says the cause of the system and what to do."""
    missing = look(str(tmp_path / "x")).missing
    assert missing
    assert missing.what == f"cannot read {tmp_path}/x: No such file or directory"

    def scandir(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", scandir)
    forbidden = look(str(tmp_path)).missing
    assert forbidden
    assert (forbidden.code, forbidden.do) == ("LB201", "let lbcontrol read it")


def test_too_many_files_are_refused_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit no file is left out silently: the picture before stays."""
    monkeypatch.setattr(file_scan, "MAX_FILES", 1)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("")
    listing = look(str(tmp_path))
    assert listing.missing
    assert (listing.missing.code, listing.missing.what) == ("LB125", f"2 files in {tmp_path}")


def test_file_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may be seen but not read is a finding about that file."""
    (tmp_path / "a.yaml").write_text("x")
    (seen,) = look(str(tmp_path)).files

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        read_seen(seen)
    assert (caught.value.finding.code, caught.value.finding.why) == ("LB202", "Permission denied")


def test_changed_permission_is_a_change(tmp_path: Path) -> None:
    """Who repairs a file's permission need not touch its content."""
    (tmp_path / "a.yaml").write_text("x")
    before = look(str(tmp_path))
    (tmp_path / "a.yaml").chmod(0o600)
    assert look(str(tmp_path)) != before
    assert look(str(tmp_path)) == look(str(tmp_path))


def test_reading_notices_that_the_file_is_another(tmp_path: Path) -> None:
    """A file that was replaced or removed since it was seen is not read."""
    (tmp_path / "a.yaml").write_text("x")
    (seen,) = look(str(tmp_path)).files
    assert read_seen(seen) == b"x"
    (tmp_path / "a.yaml").write_text("yy")
    with pytest.raises(MovedError):
        read_seen(seen)
    (tmp_path / "a.yaml").unlink()
    with pytest.raises(MovedError):
        read_seen(seen)


def test_large_file_is_read_no_further_than_needed(tmp_path: Path) -> None:
    """One byte more than the limit is enough to refuse it."""
    (tmp_path / "a.yaml").write_bytes(b"#" * (3 * MAX_BYTES))
    (seen,) = look(str(tmp_path)).files
    assert len(read_seen(seen)) == MAX_BYTES + 1
