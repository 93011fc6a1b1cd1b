"""A real Kubernetes control plane on loopback, for tests: etcd, the API server and, when asked for, its controllers."""

from __future__ import annotations

import base64
import json
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from tests.support.procs import Proc, free_port
from tests.support.require import component

READY_SECONDS = 90.0
_POLL_SECONDS = 0.05
_ADMIN = "admin"
_CONTROLLERS, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"

Object = dict[str, Any]


class Kube:
    """One cluster with static tokens: ``admin`` may do everything, ``lb`` what was granted.

    It has no nodes, and without controllers nothing makes pods, service accounts or EndpointSlices. With them the real
    ones run, and tests/support/kubelet.py plays the nodes.
    """

    def __init__(self, home: Path, *, controllers: bool = False, audited: bool = False) -> None:
        """Keep everything under ``home``; ends the test as not run without Go. ``audited`` ones can be ``used``."""
        self._home = home
        self._controllers = controllers
        self._audited = audited
        self._programs = component("kube")
        self._etcd_port, self._peer_port, self._port = (free_port() for _ in range(3))
        self.url = f"https://127.0.0.1:{self._port}"
        self._etcd: Proc | None = None
        self._api: Proc | None = None
        self._others: list[Proc] = []

    def __enter__(self) -> Self:
        """Start; returns once the API server is ready, has its default namespace, and controllers work."""
        self._home.mkdir(parents=True, exist_ok=True)
        _make_keys(self._home)
        users = {_ADMIN: ",system:masters", "lb": "", _CONTROLLERS: "", _SCHEDULER: ""}
        rows = (f"{user}-token,{user},{user}{group}\n" for user, group in users.items())
        (self._home / "tokens.csv").write_text("".join(rows))
        rules = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
        (self._home / "audit.yaml").write_text(json.dumps(rules))
        self._start_etcd()
        self.start_api()
        if self._controllers:
            self._start_controllers()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all."""
        for proc in (*self._others, self._api, self._etcd):
            if proc is not None:
                proc.kill9()

    @property
    def authority(self) -> Path:
        """File of the certificate that the API server's is signed with."""
        return self._home / "ca.crt"

    @property
    def token(self) -> str:
        """What admin logs in with."""
        return f"{_ADMIN}-token"

    def start_api(self) -> None:
        """Start the API server, on the same port and data as before."""
        self._api = Proc([str(self._programs / "kube-apiserver"), *self._api_flags()], log=self._home / "api.log")
        self._wait(lambda: self.ask("/readyz") and self.ask("/api/v1/namespaces/default"), self._api)

    def kill_api(self) -> None:
        """Kill the API server; watches break off."""
        assert self._api is not None
        self._api.kill9()

    def stall_api(self) -> None:
        """Stop the API server's process: it takes connections and never answers."""
        assert self._api is not None
        self._api.popen.send_signal(signal.SIGSTOP)

    def resume_api(self) -> None:
        """Undo ``stall_api``."""
        assert self._api is not None
        self._api.popen.send_signal(signal.SIGCONT)

    def compact(self) -> None:
        """Forget all versions but the present one: older watches are answered with 410."""
        revision = self._etcd_call("/v3/kv/range", {"key": "AA==", "count_only": True})["header"]["revision"]
        self._etcd_call("/v3/kv/compaction", {"revision": str(revision), "physical": True})

    def kubeconfig(self, user: str = "admin", token: str = "") -> Path:
        """Write and return the kubeconfig of a user, who has a static token unless one is given."""
        path = self._home / f"{user.rpartition(':')[2]}.kubeconfig"
        ca = base64.b64encode(self.authority.read_bytes()).decode()
        cluster = {"server": self.url, "certificate-authority-data": ca}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token or f"{user}-token"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        }
        path.write_text(json.dumps(config))  # JSON is YAML.
        return path

    def apply(self, *objects: Object) -> None:
        """Server-side apply with kubectl."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)

    def used(self, user: str) -> set[tuple[str, str, str]]:
        """Return what a user asked for and might do so far: API group, resource with subresource, verb."""
        found = set()
        for line in (self._home / "audit.log").read_text().splitlines():
            entry = json.loads(line)
            of = entry.get("objectRef")
            code = entry.get("responseStatus", {}).get("code", 403)  # A stage before the answer has none.
            if of and entry["user"]["username"] == user and code not in (401, 403):
                resource = "/".join(filter(None, (of["resource"], of.get("subresource"))))
                found.add((of.get("apiGroup", ""), resource, entry["verb"]))
        return found

    def account_token(self, namespace: str, account: str, *audiences: str) -> str:
        """Return a token of a service account, as a pod of it would have; for the API server without ``audiences``."""
        body = {"spec": {"audiences": list(audiences), "expirationSeconds": 3600}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str(self.ask(path, "POST", body=body)["status"]["token"])

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """Run kubectl as admin and return what it prints; AssertionError when it fails."""
        command = [str(self._programs / "kubectl"), "--kubeconfig", str(self.kubeconfig()), *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, path: str, method: str = "GET", *, body: object = None, form: str = "json") -> Any:
        """Send a request as admin and return the JSON or text of the answer; OSError when it fails.

        A ``PATCH`` needs a ``form`` such as ``merge-patch+json``.
        """
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": f"application/{form}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, data=data, headers=headers)  # noqa: S310  ours
        context = ssl.create_default_context(cafile=str(self.authority))
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:  # noqa: S310  our own server
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        flags = [
            "--name=t",
            f"--data-dir={self._home / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=t={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        self._etcd = Proc([str(self._programs / "etcd"), *flags], log=self._home / "etcd.log")
        self._wait(lambda: self._etcd_call("/v3/kv/range", {"key": "AA=="}), self._etcd)

    def _start_controllers(self) -> None:
        keys = self._home
        named = (("kube-controller-manager", _CONTROLLERS), ("kube-scheduler", _SCHEDULER))
        for program, user in named:
            login = str(self.kubeconfig(user))
            flags = [
                *(
                    f"--{use}={login}"
                    for use in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
                ),
                "--bind-address=127.0.0.1",
                f"--secure-port={free_port()}",
                f"--cert-dir={keys / program}",
                "--leader-elect=false",
                "--profiling=false",
            ]
            if user == _CONTROLLERS:  # What watches over nodes would miss their kubelets.
                flags += [
                    f"--service-account-private-key-file={keys / 'sa.key'}",
                    f"--root-ca-file={keys / 'ca.crt'}",
                    "--use-service-account-credentials=true",
                    "--controllers=*,-node-ipam-controller,-node-lifecycle-controller",
                ]
            self._others.append(Proc([str(self._programs / program), *flags], log=keys / f"{program}.log"))
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait(lambda: self.ask(account), self._others[0])

    def _etcd_call(self, path: str, body: object) -> Any:
        url = f"http://127.0.0.1:{self._etcd_port}{path}"
        with urllib.request.urlopen(url, data=json.dumps(body).encode(), timeout=10) as answer:
            return json.loads(answer.read())

    def _api_flags(self) -> list[str]:
        keys = self._home
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--etcd-compaction-interval=0",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
            "--authorization-mode=RBAC",
            f"--token-auth-file={keys / 'tokens.csv'}",
            f"--tls-cert-file={keys / 'api.crt'}",
            f"--tls-private-key-file={keys / 'api.key'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={keys / 'sa.pub'}",
            f"--service-account-signing-key-file={keys / 'sa.key'}",
            "--profiling=false",
            # Without controllers nobody makes the default account, and no pod could be made.
            *(self._audit_flags() if self._audited else []),
            *([] if self._controllers else ["--disable-admission-plugins=ServiceAccount"]),
        ]

    def _audit_flags(self) -> list[str]:
        return [
            f"--audit-policy-file={self._home / 'audit.yaml'}",
            f"--audit-log-path={self._home / 'audit.log'}",
            "--audit-log-mode=blocking",
        ]

    def _wait(self, works: Callable[[], object], proc: Proc) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                if works():
                    return
            except (urllib.error.URLError, OSError, ValueError) as error:
                if time.monotonic() > deadline or proc.popen.poll() is not None:
                    raise TimeoutError(f"not ready; log:\n{proc.tail()}") from error
            time.sleep(_POLL_SECONDS)  # The servers have no event to wait for.


def service(
    namespace: str, name: str, *, annotations: Mapping[str, str] | None = None, of: str = "", **ports: int
) -> Object:
    """Return a chosen Service with these ports by name, in front of the pods of a Deployment when it is named."""
    said = {"lbcontrol.io/enabled": "true"} if annotations is None else dict(annotations)
    spec: Object = {"ports": [{"name": port, "port": number} for port, number in (ports or {"grpc": 50051}).items()]}
    if of:
        spec["selector"] = {"app": of}
    meta = {"namespace": namespace, "name": name, "annotations": said}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def endpoint(host: str, *, zone: str = "", **conditions: bool) -> Object:
    """Return one endpoint of a slice, ready unless conditions say otherwise."""
    return {"addresses": [host], "conditions": conditions or {"ready": True}} | ({"zone": zone} if zone else {})


def endpoint_slice(namespace: str, name: str, *endpoints: Object, of: str, **ports: int) -> Object:
    """Return an EndpointSlice of a Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"namespace": namespace, "name": name, "labels": {"kubernetes.io/service-name": of}},
        "addressType": "IPv4",
        "ports": [{"name": port, "port": number} for port, number in (ports or {"grpc": 50051}).items()],
        "endpoints": list(endpoints),
    }


def deployment(namespace: str, name: str, *, replicas: int, min_ready: int = 0) -> Object:
    """Return a Deployment of pods labelled ``app: name``, which roll one by one, ``min_ready`` seconds apart."""
    label = {"app": name}
    pod = {"containers": [{"name": name, "image": name}]}
    spec = {
        "replicas": replicas,
        "minReadySeconds": min_ready,
        "selector": {"matchLabels": label},
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": label}, "spec": pod},
    }
    meta = {"namespace": namespace, "name": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def namespace(name: str) -> Object:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _make_keys(folder: Path) -> None:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-days", "3650", "-subj", "/CN=ca",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    (folder / "api.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    _openssl(folder, "req", "-new", *curve, "-keyout", "api.key", "-out", "api.csr", "-subj", "/CN=kube-apiserver")
    _openssl(folder, "x509", "-req", "-in", "api.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
             "-out", "api.crt", "-days", "3650", "-extfile", "api.ext")  # fmt: skip
    _openssl(folder, "genrsa", "-out", "sa.key", "2048")
    _openssl(folder, "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
