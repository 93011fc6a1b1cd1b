"""The CustomResourceDefinition of ServicePolicy is what the models of documents say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lbcontrol.sources.documents.policies import ServicePolicyDocument
from lbcontrol.sources.documents.schema import keys, schema_of
from scripts.crd import definition, main

VERSION: dict[str, Any] = definition()["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]


def test_file_is_what_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody edits it by hand, and a change of the models brings it along."""
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == "crd: up to date\n"


def test_every_key_of_files_is_a_key_of_the_definition() -> None:
    """Those without an effect yet too: the API server can then say so, instead of not knowing them."""
    wanted = dict(keys(schema_of(ServicePolicyDocument)))
    spec = SCHEMA["properties"]["spec"]
    assert {f".spec{key}" for key, _ in keys(spec)} == {key for key in wanted if key.startswith(".spec.")}
    refused = {key.rpartition(".")[2] for key, is_refused in wanted.items() if is_refused}
    text = json.dumps(spec)
    assert [key for key in sorted(refused) if f'"message": "{key} is not supported yet' not in text] == []


def test_every_key_says_what_it_means() -> None:
    """Kubectl explain has words for each key of the spec and the status."""
    assert list(_silent(SCHEMA["properties"]["spec"])) == []
    assert VERSION["subresources"] == {"status": {}}
    assert [column["name"] for column in VERSION["additionalPrinterColumns"]] == [
        "Target",
        "Accepted",
        "Programmed",
        "Reason",
        "Age",
    ]


def _silent(node: dict[str, Any]) -> list[str]:
    nodes = {**node.get("properties", {}), **({"[]": node["items"]} if "items" in node else {})}
    return [name for name, each in nodes.items() if not each.get("description")] + [
        name for each in nodes.values() for name in _silent(each)
    ]
