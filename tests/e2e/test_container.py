"""The image itself, run by docker with what the manifests allow a Pod: ``make image`` builds it and names it here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane, run_cli, services_yaml
from tests.support.procs import Proc

IMAGE = os.environ.get("LBCONTROL_IMAGE", "")
USER = 65_532
POD = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=512m", "--tmpfs=/tmp:size=16m"]
STATE = "/var/lib/lbcontrol/state"
ADDRESS = "10.0.0.1:50051"

pytestmark = [
    pytest.mark.skipif(not IMAGE, reason="NOT RUN: needs LBCONTROL_IMAGE, an image that docker has (make image)"),
    pytest.mark.timeout(120),
]


def docker(*line: str) -> str:
    """Run docker to its end and return what it prints; AssertionError when it fails."""
    done = subprocess.run(["docker", *line], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


class Container(ControlPlane):
    """A control plane in a container, with the network of this machine and its state on a volume."""

    name = f"lbcontrol-test-{os.getpid()}"

    def begin(self) -> None:
        """Start it in the foreground, so that its log is kept as any other's."""
        volume = self.files.parent / "volume"
        volume.mkdir(exist_ok=True)
        volume.chmod(0o2777)  # For whoever may not change owners, as the kubelet does for fsGroup.
        mounts = [f"--volume={volume}:/var/lib/lbcontrol", f"--volume={self.files}:{self.files}:ro"]
        run = ["docker", "run", "--name", self.name, "--rm", "--network=host", *POD, *mounts, IMAGE]
        self.proc = Proc([*run, "serve", *self.arguments(), "--state-dir", STATE], log=self.log)

    def end(self) -> int:
        """Stop it as the kubelet does; returns its exit code."""
        assert self.proc is not None
        docker("stop", self.name)
        code = self.proc.popen.wait(30.0)
        self.kill9()  # What is kept of it.
        return code


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Container]:
    """One service, served from a container."""
    made = Container(tmp_path / "plane")
    made.files.chmod(0o755)
    try:
        made.start({"cart.yaml": services_yaml("cart", {ADDRESS: 1, "10.0.0.2:50051": 1})})
        yield made
    finally:
        subprocess.run(["docker", "rm", "--force", made.name], capture_output=True, timeout=60, check=False)
        made.kill9()


def test_container_serves_with_what_a_pod_may(plane: Container) -> None:
    """Nothing but the volume is writable; a drain is there after a restart; SIGTERM ends it in peace."""
    listeners = ("--server", plane.grpc, "--admin", plane.admin)
    docker("exec", plane.name, "lbcontrol", "drain", "cart", ADDRESS, "--reason", "test", *listeners)
    print(docker("stats", "--no-stream", "--format", "{{.MemUsage}}", plane.name))
    assert plane.end() == 0
    plane.start()
    assert "draining" in run_cli("get", "cart", *listeners)
    assert "√" in docker("exec", plane.name, "lbcontrol", "check", *listeners)
    assert plane.end() == 0


def test_image_has_a_user_of_its_own_and_nothing_that_installs() -> None:
    """A Pod that says nothing of users is not root, and what could bring in more is not there."""
    config = docker("image", "inspect", IMAGE, "--format", "{{.Config.User}} {{.Config.Entrypoint}} {{.Size}}")
    print(f"{int(config.split()[-1]) >> 20} MiB with its base")
    assert config.startswith(f"{USER}:{USER} [lbcontrol] ")
    script = "id -u; touch /opt/lbcontrol/x; python -c 'import pip'; command -v gcc uv"
    line = ["docker", "run", "--rm", "--entrypoint", "sh", IMAGE, "-c", script]
    said = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout.split() == [str(USER)], said.stdout + said.stderr
    assert "Permission denied" in said.stderr
    assert "No module named 'pip'" in said.stderr
