"""ServicePolicies for tests: in Kubernetes, and every document about policies that other tests know."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

from lbcontrol.model.errors import ConfigError
from lbcontrol.sources.documents import read_documents
from lbcontrol.sources.documents.tree import read_forest
from scripts.crd import FILE, definition
from tests.support.kube import Kube, Object
from tests.unit.sources.test_messages import CASES
from tests.unit.sources.test_schema_walk import DOCUMENT, EFFECTS, ONE_VALUE, all_keys, changed

COLLECTION = "/apis/lbcontrol.io/v1alpha1/namespaces/{}/servicepolicies"


def install(cluster: Kube) -> None:
    """Install the CustomResourceDefinition and wait until it is served."""
    cluster.kubectl("apply", "--server-side", "-f", str(FILE))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{FILE.stem.partition('_')[2]}.lbcontrol.io")


def service_policy(namespace: str, name: str, *targets: str, **spec: Any) -> Object:
    """Return a ServicePolicy."""
    refs = [{"group": "", "kind": "Service", "name": target} for target in targets]
    return {
        "apiVersion": "lbcontrol.io/v1alpha1",
        "kind": "ServicePolicy",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"targetRefs": refs, **spec},
    }


def refusal_of_api(cluster: Kube, document: Object, *, namespace: str) -> str:
    """Return what the API server says against a document; empty when it would take it. Nothing is kept."""
    whole = {**document, "metadata": {**document["metadata"], "namespace": namespace}}
    try:
        path = f"{COLLECTION.format(namespace)}?dryRun=All&fieldValidation=Strict"
        cluster.ask(path, "POST", body=whole)
    except urllib.error.HTTPError as error:
        with error:
            status = json.loads(error.read())
    else:
        return ""
    assert status["code"] in (400, 422), status
    return str(status["message"])


def refusal_of_files(document: Object) -> str:
    """Return what lbcontrol says against the same document in a file; empty when it takes it."""
    try:
        read_documents(json.dumps(document, ensure_ascii=False), path="f.yaml")
    except ConfigError as error:
        return "\n".join(map(str, error.findings))
    return ""


def known_documents() -> Iterator[Object]:
    """Return every ServicePolicy that tests of documents know, and every policy of theirs as one; right and wrong."""
    yield DOCUMENT
    for key in (*EFFECTS, *all_keys(refused=True), *ONE_VALUE):
        if key.startswith(".spec"):
            for value in _values(key):
                yield changed(key, value)
    for objective in ("Utilization", "Latency"):
        yield changed(".spec.weighting.objective", objective)
    for content, *_ in CASES.values():
        yield from _policies_in(content)


def _values(key: str) -> list[object]:
    if key in EFFECTS:
        return [EFFECTS[key]]
    return [ONE_VALUE[key][0]] if key in ONE_VALUE else [1, "x", {}, [], True, {"deep": {"er": [1]}}]


def _policies_in(content: str) -> Iterator[Object]:
    forest = read_forest(content)
    for root in () if forest.problems else forest.roots:
        try:  # What YAML alone can say cannot be sent.
            document = json.loads(json.dumps(root, allow_nan=False))
        except ValueError:
            continue
        for service in document.get("services") or () if isinstance(document, dict) else ():
            if isinstance(service, dict) and "policy" in service:
                yield _as_policy(service["policy"])
        if isinstance(document, dict) and document.get("kind") == "ServicePolicy" and "spec" in document:
            yield {**DOCUMENT, "spec": document["spec"]}


def _as_policy(policy: object) -> Object:
    spec = {"targetRefs": [{"name": "greeter"}], **policy} if isinstance(policy, dict) else policy
    return {**DOCUMENT, "spec": spec}


def lax_definition() -> Object:
    """Return the definition as an older lbcontrol might have installed it: without rules of its own."""
    return dict(_without_rules(definition()))


def _without_rules(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_rules(each) for key, each in node.items() if key != "x-kubernetes-validations"}
    return [_without_rules(each) for each in node] if isinstance(node, list) else node
