"""``kubectl lbcontrol`` finds the control plane on a real API server; there is no kubelet that could forward."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.forwarding import Target, find, forwarded
from lbcontrol.model.findings import Finding
from tests.support.kube import Kube, Object, namespace
from tests.support.kubectl_stub import LABELS
from tests.support.kubelet import ready_pods

NAME = "lbcontrol-1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """A cluster with a Service and a Pod, not ready yet, in the namespace of each test."""
    with Kube(tmp_path_factory.mktemp("kubectl")) as made:
        yield made


def add(kube: Kube, space: str) -> None:
    """Add a control plane."""
    meta = {"namespace": space, "labels": LABELS}
    spec = {"selector": LABELS, "ports": [{"name": "grpc", "port": 18000}]}
    service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {**meta, "name": "lbcontrol"}, "spec": spec}
    containers = [{"name": "lbcontrol", "image": "lbcontrol"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "name": NAME}, "spec": {"containers": containers}}
    kube.apply(namespace(space), service, pod)


def target(kube: Kube, space: str, user: str = "admin") -> Target:
    """Return where to look as a user."""
    return Target(space, (f"--kubeconfig={kube.kubeconfig(user)}", "--context=test"))


def refusal(where: Target) -> Finding:
    """Return why nothing is found."""
    with pytest.raises(CommandError) as caught:
        find(where)
    return caught.value.finding


@pytest.fixture(autouse=True)
def real_kubectl(cluster: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubectl of the cluster's version."""
    monkeypatch.setenv("KUBECTL", str(Path(cluster._programs) / "kubectl"))


def test_ready_pod_is_found(cluster: Kube) -> None:
    """Once it is ready; before that its state is said."""
    add(cluster, "lb")
    assert refusal(target(cluster, "lb")).why == f"{NAME}: phase Pending"
    ready_pods(cluster, "lb", {NAME: "10.244.0.2"})
    assert find(target(cluster, "lb")) == (NAME, "lbcontrol.lb.svc.cluster.local")


def test_empty_namespace_is_named(cluster: Kube) -> None:
    """LB922, also for a namespace that does not exist."""
    assert refusal(target(cluster, "default")).code == "LB922"
    assert refusal(target(cluster, "nowhere")).code == "LB922"


def test_missing_right_is_said(cluster: Kube) -> None:
    """LB924 with the API server's words."""
    found = refusal(target(cluster, "default", "lb"))
    assert found.code == "LB924"
    assert 'User "lb" cannot list resource "services"' in found.why


def test_wrong_context_is_said(cluster: Kube) -> None:
    """LB924 with kubectl's words."""
    found = refusal(Target("default", (f"--kubeconfig={cluster.kubeconfig()}", "--context=other")))
    assert (found.code, "other" in found.why) == ("LB924", True)


def test_forwarding_without_a_kubelet_fails(cluster: Kube) -> None:
    """The real kubectl takes our command line and says why the Pod cannot be reached."""
    add(cluster, "forward")
    with pytest.raises(CommandError) as caught, forwarded(target(cluster, "forward"), NAME):
        pass
    assert caught.value.finding.code == "LB923"
    assert "Pending" in caught.value.finding.why, caught.value.finding.why
