"""What the image is made of: the steps of the Dockerfile, run here, and what they make, run as a Pod would run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane, run_cli, services_yaml
from tests.support.procs import Proc

ROOT = Path(__file__).parents[2]
USER = 65_532
MOST_MIB = 160
"""Unpacked; what is beside it in the image is Python."""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``scripts/install-runtime`` installs, made anew from the lock."""
    made = tmp_path_factory.mktemp("image") / "lbcontrol"
    command = [str(ROOT / "scripts/install-runtime"), str(made)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr
    for folder in (made, *made.parents[:3]):
        folder.chmod(0o755)
    return made


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, in order."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def test_image_has_what_runs_and_no_more(prefix: Path) -> None:
    """No installer, test or compiler; small enough to start on a new node soon."""
    size = sum(file.stat().st_size for file in prefix.rglob("*") if file.is_file() and not file.is_symlink()) >> 20
    print(f"{size} MiB")
    assert size <= MOST_MIB
    done = subprocess.run(
        [str(prefix / "bin/lbcontrol"), "help", "LB310"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, "LB310" in done.stdout) == (0, True), done.stderr
    names = {file.name for file in (prefix / "bin").iterdir()}
    assert not {"pip", "pip3", "uv", "pytest"} & names
    site = next(prefix.glob("lib/python3*/site-packages"))
    assert not [name for name in ("pytest", "pip", "grpc_tools", "hypothesis", "ruff") if (site / name).exists()]


def test_it_serves_as_another_user_who_may_write_its_state_only(prefix: Path, tmp_path: Path) -> None:
    """As in the manifests: uid 65532, nothing but the volume is writable, and a drain is there after a restart."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("NOT RUN: needs root and setpriv, to become another user")
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o770)
    os.chown(volume, 0, USER)  # As the kubelet does for fsGroup.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    plane = ControlPlane(tmp_path / "plane")
    plane.write({"a.yaml": services_yaml("a", {"127.0.0.1:1": 1})})
    plane.flags = ("--state-dir", str(volume / "state"))
    become = [
        "setpriv",
        f"--reuid={USER}",
        f"--regid={USER}",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
    ]
    for _ in range(2):
        command = [*become, str(prefix / "bin/lbcontrol"), "serve", *plane.arguments()]
        plane.proc = Proc(command, log=plane.log, env={"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"})
        plane.wait_until_ready()
        if not (volume / "state" / "override").exists():
            plane.drain("a", "127.0.0.1:1")
        assert "draining" in run_cli("get", "a", "--server", plane.grpc, "--admin", plane.admin)
        plane.kill9()
    assert (volume / "state").stat().st_uid == USER


def test_dockerfile_is_sound() -> None:
    """Two stages of one base, the lock with hashes, a numeric user, and every file that it copies is there."""
    steps = instructions()
    bases = [rest for word, rest in steps if word == "FROM"]
    assert [rest.split()[0] for rest in bases] == ["${BASE}", "${BASE}"]
    last = len(steps) - [word for word, _ in reversed(steps)].index("FROM") - 1
    final = dict(steps[last:])
    assert (final["USER"], final["ENTRYPOINT"]) == ("65532:65532", '["lbcontrol"]')
    assert "--require-hashes" in (ROOT / "scripts/install-runtime").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in steps:
        assert word not in ("ADD", "MAINTAINER")
        if word == "COPY" and not rest.startswith("--from"):
            source = rest.split()[0]
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored
