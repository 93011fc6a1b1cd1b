"""deploy/kubernetes on a real API server: valid, restricted, with just the rights that the control plane uses."""

from __future__ import annotations

import copy
import json
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as native

from tests.support.control_plane import ControlPlane, run_cli
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.manifests import ACCOUNT, ROOT, Object, only, pod_of, rendered
from tests.support.pki import make_pki
from tests.support.service_policies import service_policy

KUSTOMIZATIONS = (".", "overlays/minimal", "overlays/production")
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
            assert not refused(lambda pod=pod: cluster.ask(post, "POST", body=pod))  # type: ignore[misc]


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
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


class PodPlane(ControlPlane):
    """The control plane as a Pod of an overlay would run it, with a token of the manifests' account."""

    def __init__(self, cluster: Kube, home: Path, overlay: str = "minimal") -> None:
        """Take the overlay's configuration; only what names a place of the Pod is another."""
        super().__init__(home / "plane")
        config = yaml.safe_load((ROOT / f"overlays/{overlay}/lbcontrol.yaml").read_text())
        login = str(cluster.kubeconfig("manifests", token=cluster.account_token(*ACCOUNT)))
        config["sources"]["cluster"] |= {"kubeconfig": login, "statusNamespace": ACCOUNT[0]}
        config["stateDir"] = str(home / "state")
        if "tls" in config:
            self.pki = make_pki(home / "pki")
            config["tls"]["grpc"] = {"cert": str(self.pki.server.cert), "key": str(self.pki.server.key)}
            config["authentication"]["kubernetes"]["kubeconfig"] = login
        for name, place in (("grpc", self.grpc), ("admin", self.admin), ("probe", self.probe)):
            host = config["listen"][name].rpartition(":")[0]  # As in the Pod, on a port that is free here.
            config["listen"][name] = f"{host}:{place.rpartition(':')[2]}"
        self.config = home / "server.yaml"
        self.config.write_text(yaml.safe_dump(config))

    def arguments(self) -> list[str]:
        """What stands after ``serve``."""
        return ["--config", str(self.config)]


@pytest.fixture
def planes(cluster: Kube, tmp_path: Path) -> Iterator[Callable[[str], PodPlane]]:
    """Makes control planes that end with the test."""
    made: list[PodPlane] = []

    def make(overlay: str) -> PodPlane:
        made.append(PodPlane(cluster, tmp_path / str(len(made)), overlay))
        return made[-1]

    yield make
    for each in made:
        each.kill9()


def test_it_has_the_rights_it_uses_and_no_other(cluster: Kube, planes: Callable[[str], PodPlane]) -> None:
    """With the manifests' own account and roles everything works, and each verb is asked for: none more, none less."""
    cluster.apply(service("shop", "echo"), endpoint_slice("shop", "a", endpoint("10.0.0.1"), of="echo"))
    cluster.apply(service_policy("shop", "lost", "nowhere", timeout="3s"))
    plane = planes("minimal")
    plane.start()
    assert "10.0.0.1:50051" in run_cli("get", "echo.shop", "--server", plane.grpc, "--admin", plane.admin)
    policy = ("-n", "shop", "get", "svcpolicy", "lost", "-o", "yaml")
    until(lambda: "TargetNotFound" in cluster.kubectl(*policy))
    until(lambda: "TargetNotFound" in cluster.kubectl("-n", "shop", "get", "events"))
    cluster.apply(service("shop", "nowhere"))
    until(lambda: "reason: Accepted" in cluster.kubectl(*policy))
    cluster.kubectl("-n", "shop", "delete", "service", "nowhere")
    until(lambda: cluster.used(USER) >= granted(rendered()))
    assert cluster.used(USER) == granted(rendered())
    plane.kill9()
    cluster.kubectl("apply", "--server-side", "-k", str(ROOT / "overlays/production"))
    login_and_look(cluster, planes("production"))
    assert cluster.used(USER) == granted(rendered("overlays/production"))


def login_and_look(cluster: Kube, plane: PodPlane) -> None:
    """A client of the namespace sees its service with a token; the operator at the Pod sees all; a stranger nothing."""
    cluster.ask(
        "/api/v1/namespaces/shop/serviceaccounts", "POST", body={"metadata": {"name": "web", "namespace": "shop"}}
    )
    plane.start()
    token = cluster.account_token("shop", "web", "lbcontrol")
    proof = grpc.ssl_channel_credentials(plane.pki.authority.cert.read_bytes())
    with grpc.secure_channel(plane.grpc, proof) as channel:
        method: Any = channel.unary_unary("/lbcontrol.v1.LookasideService/GetAssignment")
        ask = native.GetAssignmentRequest(service="echo").SerializeToString()
        answer = method(ask, timeout=20.0, metadata=(("authorization", f"Bearer {token}"),))
        assert native.GetAssignmentResponse.FromString(answer).assignment.service == "echo.shop"
        with pytest.raises(grpc.RpcError) as caught:
            method(ask, timeout=20.0)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "10.0.0.1:50051" in plane.cli("why", "echo.shop", "10.0.0.1:50051")
    file = plane.config.with_name("token")
    file.write_text(f"{token}\n")
    tls = ("--tls-ca", str(plane.pki.authority.cert), "--admin-plaintext", "--token-file", str(file))
    shown = run_cli("get", "echo", "--server", plane.grpc, "--admin", plane.admin, *tls)
    assert "10.0.0.1:50051" in shown


def test_drain_survives_the_pod(cluster: Kube, planes: Callable[[str], PodPlane]) -> None:
    """What an operator said is on the volume, and holds for the Pod that comes next, before it is ready."""
    cluster.apply(service("shop", "kept"), endpoint_slice("shop", "k", endpoint("10.0.0.7"), of="kept"))
    plane = planes("minimal")
    plane.start()
    plane.drain("kept.shop", "10.0.0.7:50051")
    plane.restart()
    assert "draining" in run_cli("get", "kept.shop", "--server", plane.grpc, "--admin", plane.admin)


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


def test_bootstraps_in_variables_are_what_the_command_prints() -> None:
    """Those that the kubelet completes, too: only what it fills in is another."""
    server = "lbcontrol.lbcontrol.svc.cluster.local:18000"
    login = ("--tls-ca", "/var/run/lbcontrol/ca.crt", "--token-file", "/var/run/lbcontrol/token")
    for name, flags in (("client", ()), ("client-token", login)):
        found = next(
            each
            for each in rendered("examples/client")
            if each["kind"] == "Deployment" and each["metadata"]["name"] == name
        )
        env = {each["name"]: each.get("value") for each in found["spec"]["template"]["spec"]["containers"][0]["env"]}
        written = json.loads(env["GRPC_XDS_BOOTSTRAP_CONFIG"])
        printed = json.loads(run_cli("bootstrap", "--server", server, *flags))
        assert written["xds_servers"] == printed["xds_servers"]
        assert written["node"]["id"].endswith("$(POD)")
        assert written["node"]["locality"]["zone"] == "$(ZONE)"
