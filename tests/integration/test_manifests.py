"""deploy/kubernetes on a real API server: valid, restricted, with just the rights that the control plane uses."""

from __future__ import annotations

import copy
import json
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.control_plane import ControlPlane, run_cli
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.manifests import ACCOUNT, ROOT, Object, only, pod_of, rendered
from tests.support.service_policies import service_policy

KUSTOMIZATIONS = (".", "overlays/minimal")
"""What people apply; the base is not applied by itself."""
PATIENCE = 60.0
USER = ":".join(("system:serviceaccount", *ACCOUNT))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """A cluster into which the manifests were applied, and which writes down who asks for what."""
    with Kube(tmp_path_factory.mktemp("manifests"), audited=True) as made:
        made.kubectl("apply", "--server-side", "-k", str(ROOT))
        made.apply(namespace("shop"))
        yield made


def until(holds: Callable[[], object]) -> None:
    """Wait for something in the cluster that has no event to wait for."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def refused(act: Callable[[], object]) -> str:
    """Return why the API server or kubectl refuses; empty when it does not."""
    try:
        act()
    except urllib.error.HTTPError as error:
        with error:
            return str(json.loads(error.read())["message"])
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("folder", [*KUSTOMIZATIONS, "examples/client"])
def test_api_server_takes_every_manifest(cluster: Kube, folder: str) -> None:
    """Unknown fields and values are refused by it, and there are none."""
    cluster.kubectl("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-k", str(ROOT / folder))


@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_pod_passes_the_restricted_standard(cluster: Kube, folder: str) -> None:
    """The namespace enforces it; with one thing less it would not pass."""
    objects = rendered(folder)
    labels = only(objects, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = pod_of(only(objects, "Deployment"))
    post = "/api/v1/namespaces/lbcontrol/pods?dryRun=All&fieldValidation=Strict"
    cluster.ask(post, "POST", body=pod)
    worse = copy.deepcopy(pod)
    del worse["spec"]["containers"][0]["securityContext"]["capabilities"]
    assert "unrestricted capabilities" in refused(lambda: cluster.ask(post, "POST", body=worse))
    container = pod["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert not pod["spec"]["automountServiceAccountToken"]


def test_examples_pass_the_restricted_standard(cluster: Kube) -> None:
    """A client's Deployment can be copied into a strict namespace."""
    post = "/api/v1/namespaces/lbcontrol/pods?dryRun=All&fieldValidation=Strict"
    for each in rendered("examples/client"):
        if each["kind"] == "Deployment":
            pod = pod_of(each)
            pod["metadata"]["namespace"] = "lbcontrol"
            cluster.ask(post, "POST", body=pod)


def test_second_replica_is_refused(cluster: Kube) -> None:
    """By scaling, by an edited manifest and for a new Deployment; other Deployments are nobody's business."""
    scale = ("scale", "deployment/lbcontrol", "--replicas=2")
    until(lambda: "one replica" in refused(lambda: cluster.kubectl("-n", "lbcontrol", *scale)))
    patch = ("patch", "deployment/lbcontrol", "-p", '{"spec": {"replicas": 3}}')
    assert "not 3" in refused(lambda: cluster.kubectl("-n", "lbcontrol", *patch))
    cluster.kubectl("-n", "lbcontrol", "scale", "deployment/lbcontrol", "--replicas=0")
    cluster.kubectl("-n", "lbcontrol", "scale", "deployment/lbcontrol", "--replicas=1")
    other = copy.deepcopy(only(rendered(), "Deployment"))
    other["metadata"]["name"], other["spec"]["replicas"] = "other", 2
    cluster.ask("/apis/apps/v1/namespaces/lbcontrol/deployments?dryRun=All", "POST", body=other)


def granted(objects: list[Object]) -> set[tuple[str, str, str]]:
    """Return what the roles of the manifests allow."""
    roles = [each for each in objects if each["kind"] in ("Role", "ClusterRole")]
    assert {each["metadata"]["name"] for each in roles} == {"lbcontrol"}
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.fixture
def plane(cluster: Kube, tmp_path: Path) -> Iterator[ControlPlane]:
    """The control plane with the configuration of the manifests and a token of its service account."""
    config = yaml.safe_load((ROOT / "overlays/minimal/lbcontrol.yaml").read_text())
    login = cluster.kubeconfig("manifests", token=cluster.account_token(*ACCOUNT))
    config["sources"]["cluster"] |= {"kubeconfig": str(login), "statusNamespace": ACCOUNT[0]}
    config["stateDir"] = str(tmp_path / "state")
    made = ControlPlane(tmp_path / "plane")
    file = tmp_path / "server.yaml"
    file.write_text(yaml.safe_dump(config))
    made.arguments = lambda: [  # type: ignore[method-assign]
        *("--config", str(file), "--grpc", made.grpc, "--admin", made.admin, "--probe", made.probe)
    ]
    yield made
    made.kill9()


def test_it_has_the_rights_it_uses_and_no_other(cluster: Kube, plane: ControlPlane) -> None:
    """With the manifests' own account and roles everything works, and each verb is asked for: none more, none less."""
    cluster.apply(service("shop", "echo"), endpoint_slice("shop", "a", endpoint("10.0.0.1"), of="echo"))
    cluster.apply(service_policy("shop", "lost", "nowhere", timeout="3s"))
    plane.start()
    assert "10.0.0.1:50051" in run_cli("get", "echo.shop", "--server", plane.grpc, "--admin", plane.admin)
    until(lambda: "TargetNotFound" in cluster.kubectl("-n", "shop", "get", "svcpolicy", "lost", "-o", "yaml"))
    until(lambda: "TargetNotFound" in cluster.kubectl("-n", "shop", "get", "events"))
    cluster.apply(service("shop", "nowhere"))
    until(lambda: "reason: Accepted" in cluster.kubectl("-n", "shop", "get", "svcpolicy", "lost", "-o", "yaml"))
    cluster.kubectl("-n", "shop", "delete", "service", "nowhere")
    until(lambda: cluster.used(USER) >= granted(rendered()))
    assert cluster.used(USER) == granted(rendered())


def test_configuration_is_valid_and_safe(tmp_path: Path) -> None:
    """The control plane takes what the manifests give it, and operators are on loopback."""
    for folder in KUSTOMIZATIONS:
        text = only(rendered(folder), "ConfigMap", "lbcontrol-config")["data"]["lbcontrol.yaml"]
        file = tmp_path / "lbcontrol.yaml"
        file.write_text(text)
        run_cli("validate", str(file))
        assert yaml.safe_load(text)["listen"]["admin"].startswith("127.0.0.1:")


def test_bootstrap_of_the_example_is_what_the_command_prints() -> None:
    """So that the ConfigMap does not drift from what gRPC libraries are told elsewhere."""
    written = json.loads((ROOT / "examples/client/bootstrap.json").read_text())
    server = written["xds_servers"][0]["server_uri"]
    assert written == json.loads(run_cli("bootstrap", "--server", server, "--node-id", "client"))
