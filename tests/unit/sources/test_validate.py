"""What ``lbcontrol validate`` tells about files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbcontrol.sources import validate as validating
from lbcontrol.sources.file_scan import MovedError
from lbcontrol.sources.validate import validate


def test_right_files_make_services_without_findings(tmp_path: Path) -> None:
    """Files and directories are read together; one that is named twice is read once."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.yaml").write_text("services: [{name: a}]")
    (tmp_path / "b.conf").write_text("services: [{name: b}]")
    findings, snapshots = validate([tmp_path / "d", tmp_path / "b.conf", tmp_path / "d" / "a.yaml"])
    assert findings == []
    assert [(each.service, each.origin) for each in snapshots] == [("a", "a.yaml:1"), ("b", "b.conf:1")]


def test_all_findings_of_all_files_are_told(tmp_path: Path) -> None:
    """Missing paths, wrong files, conflicts between files and warnings come in one run."""
    (tmp_path / "a.yaml").write_text("services: [{name: a, weight: 1}]")
    (tmp_path / "b.yaml").write_text("services: [{name: b, rules: [{backendRefs: [{name: gone}]}]}]")
    (tmp_path / "c.yaml").write_text("services: [{name: b}]")
    (tmp_path / "d.yaml").write_text("")
    (tmp_path / "e.yaml").mkdir()
    findings, snapshots = validate([tmp_path, tmp_path / "missing"])
    assert [(each.code, each.severity.value) for each in findings] == [
        ("LB201", "error"),
        ("LB104", "error"),
        ("LB203", "warning"),
        ("LB121", "error"),
        ("LB113", "warning"),
        ("LB124", "warning"),
    ]
    assert [each.service for each in snapshots] == ["b"]


def test_restless_files_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that change while they are read are read again a few times, then told."""
    attempts = []

    def moved(*args: object, **kwargs: object) -> None:
        attempts.append(args)
        raise MovedError

    monkeypatch.setattr(validating, "next_state", moved)
    findings, snapshots = validate([str(tmp_path)])
    assert [(each.code, each.what) for each in findings] == [("LB202", "the files do not hold still")]
    assert (snapshots, len(attempts)) == ([], validating.ATTEMPTS)
