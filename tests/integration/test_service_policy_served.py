"""A whole server on a real API server: whose settings are in force, and where operators see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.control_plane import ControlPlane, run_cli
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.kube_watching import events, row, until
from tests.support.service_policies import COLLECTION, install, service_policy

SPACE = "served"
GOOD = ("True", "True", "")
CONFLICTED = ("False", "False", "Conflicted")
OF_ITS_OWN = f"""
services:
  - {{name: echo.{SPACE}, policy: {{timeout: 9s}}, endpoints: [{{address: "10.0.0.9:1"}}]}}
"""
SAME_RANK = f"""
apiVersion: lbcontrol.io/v1alpha1
kind: ServicePolicy
metadata: {{name: filed}}
spec: {{targetRefs: [{{name: echo.{SPACE}}}], timeout: 1s}}
"""


class Plane(ControlPlane):
    """A control plane with a source of files and one of Kubernetes."""

    def __init__(self, home: Path, kube: Kube) -> None:
        """Write its configuration."""
        super().__init__(home)
        self._config = home / "server.yaml"
        cluster = {"type": "kubernetes", "namespaces": [SPACE], "kubeconfig": str(kube.kubeconfig())}
        sources = {
            "local": {"type": "file", "path": str(self.files)},
            "cluster": {**cluster, "statusNamespace": SPACE},
        }
        document = {"apiVersion": "lbcontrol.io/v1alpha1", "kind": "Server", "sources": sources}
        self._config.write_text(json.dumps(document))

    def arguments(self) -> list[str]:
        """Serve the configuration instead of a directory."""
        return ["--config", str(self._config), *super().arguments()[1:]]

    def ask(self, *arguments: str) -> str:
        """Run a verb against it."""
        return run_cli(*arguments, "--admin", self.admin, "--server", self.grpc)


@pytest.fixture
def plane(kube: Kube, tmp_path: Path) -> Iterator[Plane]:
    """A server that is ready, in a namespace with a Service, a policy, and one that comes too late."""
    install(kube)
    kube.apply(namespace(SPACE))
    kube.apply(service(SPACE, "echo"), endpoint_slice(SPACE, "a", endpoint("10.0.0.1"), of="echo"))
    kube.apply(service_policy(SPACE, "first", "echo", timeout="3s"))
    kube.apply(service_policy(SPACE, "second", "echo", timeout="4s"))
    made = Plane(tmp_path / "plane", kube)
    try:
        made.start({"own.yaml": OF_ITS_OWN})
        yield made
    finally:
        made.kill9()


def conditions(kube: Kube, policy: str) -> Any:
    """Return the row of a policy's only Service; None before it is written."""
    found = kube.ask(f"{COLLECTION.format(SPACE)}/{policy}").get("status", {}).get("ancestors", [])
    return row(found[0]["conditions"]) if found else None


async def test_precedence_is_the_engines_and_is_shown(kube: Kube, plane: Plane) -> None:
    """ServicePolicy over a file's own; of two the older; one of a file without age before all; and back."""
    await until(lambda: (conditions(kube, "first"), conditions(kube, "second")) == (GOOD, CONFLICTED))
    assert f"from ServicePolicy {SPACE}/first" in plane.ask("why", f"echo.{SPACE}", "10.0.0.1:50051")
    documents = list(yaml.safe_load_all(plane.ask("get", f"echo.{SPACE}", "-o", "yaml")))
    assert [each.get("metadata", {}).get("name") for each in documents] == [None, "first", "second"]
    assert documents[1]["spec"]["timeout"] == "3s"
    plane.write({"filed.yaml": SAME_RANK})
    await until(lambda: conditions(kube, "first") == CONFLICTED)
    assert "from ServicePolicy filed" in plane.ask("why", f"echo.{SPACE}", "10.0.0.1:50051")
    (plane.files / "filed.yaml").unlink()
    await until(lambda: conditions(kube, "first") == GOOD)
    await until(lambda: "ServicePolicy first Conflicted: Service echo: ServicePolicy filed is" in events(kube, SPACE))
    await asyncio.to_thread(kube.apply, service_policy(SPACE, "astray", "nobody"))
    await until(lambda: "LB124" in plane.ask("sources"))
