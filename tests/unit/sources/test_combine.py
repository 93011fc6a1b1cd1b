"""Several files as one picture: who may say what, and what is only warned of."""

from __future__ import annotations

import pytest

from lbcontrol.model.findings import Finding
from lbcontrol.model.services import PolicyRank
from lbcontrol.sources.documents import Documents, read_documents
from lbcontrol.sources.documents import combine as combining
from lbcontrol.sources.documents.combine import settled, snapshots_of
from lbcontrol.sources.documents.warn import warnings_of


def file(path: str, text: str) -> Documents:
    """Return what a file says."""
    return read_documents(text, path=f"d/{path}")


def service(path: str, *names: str, keys: str = "") -> Documents:
    """Return a file with these services."""
    return file(path, "services:\n" + "\n".join(f"- {{name: {name}{keys}}}" for name in names))


def policy(path: str, name: str, *targets: str, keys: str = "timeout: 1s") -> Documents:
    """Return a file with one ServicePolicy."""
    refs = ", ".join(f"{{name: {target}}}" for target in targets)
    head = f"apiVersion: lbcontrol.io/v1alpha1\nkind: ServicePolicy\nmetadata: {{name: {name}}}\n"
    return file(path, f"{head}spec: {{targetRefs: [{refs}], {keys}}}\n")


def files(*documents: Documents) -> dict[str, Documents]:
    """Return files by path."""
    return {each.path: each for each in documents}


def test_files_that_fit_are_all_in_force() -> None:
    """Nothing is refused when every name stands once."""
    both = files(service("a.yaml", "a"), service("b.yaml", "b"))
    assert settled({}, both) == (both, {})


def test_second_file_with_a_name_is_refused_at_the_start() -> None:
    """Of files that are all new, the first by name is in force; the other tells where the name is taken."""
    first, second = service("a.yaml", "x"), service("b.yaml", "y", "x")
    in_force, refused = settled({}, files(second, first))
    assert in_force == files(first)
    (finding,) = refused["d/b.yaml"]
    assert (finding.code, finding.what, finding.at) == ("LB121", 'the name "x" is taken', "d/b.yaml:3, x")
    assert finding.why == "a service of that name or alias stands at d/a.yaml:2"


def test_file_in_force_keeps_its_names_against_a_newer_one() -> None:
    """Who has a name keeps it, whatever the files are called; the refused file keeps what it said before."""
    old, holder = service("a.yaml", "x"), service("b.yaml", "y")
    in_force, refused = settled(files(old, holder), files(service("a.yaml", "x", "y"), holder))
    assert in_force == files(old, holder)
    assert list(refused) == ["d/a.yaml"]


def test_name_moves_when_the_other_file_lets_go_of_it() -> None:
    """Both files change in one look: the order of their names does not matter, not even for an exchange."""
    kept = files(service("a.yaml", "x"), service("b.yaml", "y"))
    swapped = files(service("a.yaml", "y"), service("b.yaml", "x"))
    assert settled(kept, swapped) == (swapped, {})
    moved = files(service("a.yaml", "x", "y"), service("b.yaml", "z"), service("c.yaml", "x"))
    in_force, refused = settled(kept, moved)
    assert in_force == files(moved["d/a.yaml"], moved["d/b.yaml"])
    assert list(refused) == ["d/c.yaml"]


def test_alias_of_one_file_and_name_of_another_exclude_each_other() -> None:
    """Clients ask for aliases like for names, so they are one set over all files."""
    alias = service("a.yaml", "x", keys=", aliases: [y, z]")
    _, refused = settled({}, files(alias, service("b.yaml", "y"), service("c.yaml", "w", keys=", aliases: [z]")))
    assert {path: each[0].what for path, each in refused.items()} == {
        "d/b.yaml": 'the name "y" is taken',
        "d/c.yaml": 'the name "z" is taken',
    }


def test_zone_policy_and_priorities_exclude_each_other_over_files() -> None:
    """Whichever file comes second is refused, and names the other."""
    endpoints = ", endpoints: [{address: '[::1]:1', priority: 1}]"
    zone, tiers = policy("a.yaml", "p", "x", keys="locality: {prefer: Zone}"), service("b.yaml", "x", keys=endpoints)
    _, refused = settled({}, files(zone, tiers))
    (finding,) = refused["d/b.yaml"]
    assert finding.what == "endpoints[].priority and locality.prefer: Zone exclude each other, for service x"
    assert finding.why == "the ServicePolicy at d/a.yaml:1 has locality.prefer: Zone"
    _, refused = settled(files(tiers), files(zone, tiers))
    (finding,) = refused["d/a.yaml"]
    assert (finding.code, finding.at) == ("LB122", "d/a.yaml:1, ServicePolicy p")
    assert finding.why == "priority is set at d/b.yaml:2"


def test_zone_policy_that_is_gone_excludes_nothing() -> None:
    """A changed policy lets go of what it said about zones."""
    endpoints = ", endpoints: [{address: '[::1]:1', priority: 1}]"
    kept = files(policy("a.yaml", "p", "x", keys="locality: {prefer: Zone}"), policy("c.yaml", "q", "x"))
    clash = policy("c.yaml", "p", "x")
    newest = files(policy("a.yaml", "p", "x"), service("b.yaml", "x", keys=endpoints), clash)
    in_force, refused = settled(kept, newest)
    assert in_force == {**files(newest["d/a.yaml"], newest["d/b.yaml"]), "d/c.yaml": kept["d/c.yaml"]}
    assert refused["d/c.yaml"][0].what == 'a second ServicePolicy "p"'


def test_number_of_services_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that would bring one too many is refused whole."""
    monkeypatch.setattr(combining, "MAX_SERVICES", 2)
    in_force, refused = settled({}, files(service("a.yaml", "a", "b"), service("b.yaml", "c")))
    assert list(in_force) == ["d/a.yaml"]
    (finding,) = refused["d/b.yaml"]
    assert (finding.code, finding.what, finding.why) == ("LB125", "3 services in one source", "the limit is 2")


def test_snapshot_joins_service_and_policies_of_several_files() -> None:
    """A policy in another file is attached by targetRefs; its own file is in the mark."""
    own = service("a.yaml", "x", keys=", policy: {timeout: 2s}")
    other = policy("b.yaml", "p", "x")
    snapshot = snapshots_of([own, other], source="local")["x"]
    assert [(claim.rank, claim.origin, claim.spec.timeout) for claim in snapshot.policies] == [
        (PolicyRank.SERVICE_POLICY, "ServicePolicy p", 1.0),
        (PolicyRank.SERVICE_FILE, "a.yaml:2", 2.0),
    ]
    assert snapshot.mark == f"{own.mark}+{other.mark}"
    assert (snapshot.source, snapshot.origin, snapshot.defines) == ("local", "a.yaml:2", True)


def test_policy_without_service_is_kept_and_warned_of() -> None:
    """Another source may define the service; this one only sets its policy."""
    snapshot = snapshots_of([policy("b.yaml", "p", "gone")], source="local")["gone"]
    assert (snapshot.defines, snapshot.endpoints, snapshot.origin) == (False, (), "ServicePolicy p")
    (finding,) = snapshot.findings
    assert finding.what == 'ServicePolicy "p" is for "gone", which no file of this source defines'
    assert (finding.code, finding.at, finding.severity) == ("LB124", "d/b.yaml:1", "warning")


def warned(*documents: Documents) -> list[Finding]:
    """Return the warnings about files, in order of services."""
    return [finding for _, findings in sorted(warnings_of(documents).items()) for finding in findings]


def test_backend_that_no_file_defines_is_warned_of() -> None:
    """A rule may name a service of another source, or a mistake."""
    (finding,) = warned(service("a.yaml", "x", keys=", rules: [{backendRefs: [{name: x}, {name: y}]}]"))
    assert finding.what == 'a rule of "x" sends calls to "y", which no file defines'
    assert finding.at == "d/a.yaml:2, x.rules"


def test_policy_that_loses_is_warned_of() -> None:
    """Policies do not merge: the higher rank wins, then the name, and the loser is told by whom."""
    said = warned(service("a.yaml", "x", keys=", policy: {}"), policy("b.yaml", "q", "x"), policy("c.yaml", "p", "x"))
    assert [(each.code, each.at, each.what, each.why) for each in said] == [
        ("LB126", "d/a.yaml:2", 'a.yaml:2 has no effect on "x"', "ServicePolicy p ranks higher"),
        ("LB126", "d/b.yaml:1", 'ServicePolicy q has no effect on "x"', "ServicePolicy p is older"),
    ]
    assert (
        snapshots_of([policy("b.yaml", "q", "x"), policy("c.yaml", "p", "x")], source="s")["x"].findings[0].code
        == "LB124"
    )


@pytest.mark.parametrize(
    ("picker", "weights", "told"),
    [
        ("ClientWeighted", (1, 2), True),
        ("LeastRequest", (1, 2), True),
        ("PickFirst", (2, 2), False),
        ("RingHash", (1, 2), False),
        ("RoundRobin", (1, 2), False),
    ],
)
def test_weights_that_clients_ignore_are_warned_of(picker: str, weights: tuple[int, int], told: bool) -> None:
    """Unequal weights do not reach stock gRPC clients under pickers that have none."""
    first, second = weights
    endpoints = f"[{{address: '[::1]:1', weight: {first}}}, {{address: '[::1]:2', weight: {second}}}]"
    keys = f", policy: {{loadBalancer: {{type: {picker}}}}}, endpoints: {endpoints}"
    assert [each.code for each in warned(service("a.yaml", "x", keys=keys))] == ["LB127"] * told
