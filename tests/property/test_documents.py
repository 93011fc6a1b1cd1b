"""Whatever stands in a file is read or refused with findings; and what is read can be written again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.sources.documents import read_documents
from lbcontrol.sources.documents.combine import snapshots_of
from lbcontrol.sources.documents.expand import expanded_yaml
from lbcontrol.sources.documents.refusals import MAX_FINDINGS
from tests.unit.sources.test_expand import bare

WORDS = ["services", "name", "endpoints", "address", "weight", "policy", "kind", "spec", "targetRefs", "metadata"]
WORDS += ["apiVersion", "lbcontrol.io/v1alpha1", "ServicePolicy", "127.0.0.1:80", "30s", "Zone", "locality", "prefer"]
WORDS += ["rules", "backendRefs", "drop", "percent", "category", "loadBalancer", "type", "RingHash", "priority"]
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text(max_size=8), st.dates()
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner),
    max_leaves=30,
)
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), min_size=1, max_size=20)


def is_dialable(host: str) -> bool:
    """Whether clients can dial it."""
    try:
        return bool(Address.parse_dialable(f"{host}:1"))
    except ValueError:
        return False


HOSTS = (st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(lambda ip: f"[{ip}]")).filter(is_dialable)
ADDRESSES = st.builds("{}:{}".format, HOSTS, st.integers(1, 65535))
LABELS = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=10)
DURATIONS = st.builds("{}m{}ms".format, st.integers(0, 9999), st.integers(1, 99999))


def mapping(
    required: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    """Return mappings with these keys."""
    return st.fixed_dictionaries(required, optional=optional)


POLICIES = mapping(
    {},
    {
        "loadBalancer": st.sampled_from(["RoundRobin", "LeastRequest", "PickFirst"]).map(lambda kind: {"type": kind})
        | st.just({"type": "RingHash", "ringHash": {"header": "x-user"}}),
        "perClient": mapping({}, {"maxRequests": st.integers(1, 2**32 - 1), "connectTimeout": DURATIONS}),
        "drop": st.dictionaries(NAMES, st.integers(0, 1_000_000), max_size=3).map(
            lambda drops: [{"category": name, "percent": count / 10_000} for name, count in drops.items()]
        ),
        "timeout": DURATIONS,
    },
)
ENDPOINTS = mapping(
    {"address": ADDRESSES},
    {
        "weight": st.integers(1, 2**20),
        "locality": mapping({}, {"region": LABELS, "zone": LABELS, "subZone": LABELS}),
        "priority": st.integers(0, 3),
        "health": st.sampled_from(["Serving", "Draining", "NotServing", "Unknown"]),
    },
)
RULES = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(
    lambda names: [{"backendRefs": [{"name": name, "weight": number} for number, name in enumerate(names, 1)]}]
)
SERVICES = mapping(
    {"name": NAMES},
    {
        "endpoints": st.lists(ENDPOINTS, max_size=5, unique_by=lambda each: str(each["address"])),
        "policy": POLICIES,
        "rules": RULES,
    },
)
FILES = st.lists(SERVICES, max_size=4, unique_by=lambda each: str(each["name"])).map(lambda each: {"services": each})


def told_or_read(content: str | bytes) -> None:
    """Read a file; anything but documents or findings is a failure."""
    findings = refusals(content)
    assert len(findings) <= MAX_FINDINGS + 1
    assert all(finding.code.startswith("LB1") and finding.what and finding.at for finding in findings)


def refusals(content: str | bytes) -> Sequence[Finding]:
    """Return what is wrong with a file."""
    try:
        read_documents(content, path="f.yaml")
    except ConfigError as error:
        return error.findings
    return ()


class Dumper(yaml.SafeDumper):
    """Writes everything out."""

    def ignore_aliases(self, data: Any) -> bool:
        """Use no anchors."""
        return True


def quoted(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Write every text in quotes: PyYAML takes some for text that YAML 1.2 takes for numbers."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


Dumper.add_representer(str, quoted)


def written(tree: object) -> str:
    """Return a tree as YAML."""
    return yaml.dump(tree, Dumper=Dumper, allow_unicode=True)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """No byte sequence raises anything but ConfigError."""
    told_or_read(content)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%#?,\n\t 01~@`")) | st.text(max_size=100))
def test_any_text_is_read_or_refused(content: str) -> None:
    """No text raises anything but ConfigError, however YAML-like it is."""
    told_or_read(content)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_any_tree_is_read_or_refused(tree: Any) -> None:
    """No tree of values raises anything but ConfigError, be the keys ours or not."""
    told_or_read(written(tree))


@settings(deadline=None)
@given(st.lists(SERVICES, min_size=1, max_size=3), st.data())
def test_right_file_with_a_wrong_spot_is_read_or_refused(services: list[dict[str, Any]], data: st.DataObject) -> None:
    """One value of a right document replaced by anything: still only documents or findings."""
    node: Any = {"services": services}
    root = node
    while True:
        step = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[step], dict | list) or not node[step] or data.draw(st.booleans()):
            node[step] = data.draw(TREES)
            break
        node = node[step]
    told_or_read(written(root))


@settings(deadline=None)
@given(FILES)
def test_right_file_reads_back_from_its_expansion(document: dict[str, Any]) -> None:
    """Expanding what a right file says and reading that gives the same snapshots."""
    documents = read_documents(written(document), path="f.yaml")
    before = [bare(each) for each in snapshots_of([documents], source="s").values()]
    again = read_documents(expanded_yaml(before), path="f.yaml")
    assert [bare(each) for each in snapshots_of([again], source="s").values()] == before
