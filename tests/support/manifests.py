"""The manifests of deploy/kubernetes, as kubectl makes them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.require import component

ROOT = Path(__file__).parents[2] / "deploy" / "kubernetes"
ACCOUNT = ("lbcontrol", "lbcontrol")
"""Namespace and name of the control plane's service account."""

Object = dict[str, Any]


def rendered(folder: str = ".") -> list[Object]:
    """Return the objects of a kustomization."""
    command = [str(component("kube") / "kubectl"), "kustomize", str(ROOT / folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def only(objects: list[Object], kind: str, name: str = "") -> Object:
    """Return the one object of a kind, and of a name that begins so."""
    found = [each for each in objects if each["kind"] == kind and each["metadata"]["name"].startswith(name)]
    assert len(found) == 1, [each["metadata"]["name"] for each in found]
    return found[0]


def pod_of(deployment: Object) -> Object:
    """Return a Pod as a Deployment would make it."""
    template = deployment["spec"]["template"]
    meta = {**template["metadata"], "namespace": deployment["metadata"]["namespace"], "name": "made-from-template"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
