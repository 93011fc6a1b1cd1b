"""Rules that look at more than one key. They read the plain tree, so that they speak even when other keys are wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address
from lbcontrol.sources.documents.policies import LATER_OBJECTIVES
from lbcontrol.sources.documents.refusals import Loc, Problem, RefusalError, quoted
from lbcontrol.sources.documents.tree import label_of, line_of, value_at
from lbcontrol.sources.documents.vocabulary import NOT_YET

Found = Iterator[tuple[Loc, RefusalError]]
"""Refusals with the path from the value that was looked at."""


def service_problems(root: object) -> Iterator[Problem]:
    """Return what the keys of each service contradict each other in."""
    for index, service in enumerate(_items(value_at(root, "services"))):
        at: Loc = ("services", index)
        yield from _placed(root, at, _each(SERVICE_CHECKS, service))
        yield from _placed(root, (*at, "policy"), _each(POLICY_CHECKS, value_at(service, "policy")))


def policy_problems(root: object) -> Iterator[Problem]:
    """Return what the keys of a ServicePolicy contradict each other in."""
    yield from _placed(root, ("spec",), _each(POLICY_CHECKS, value_at(root, "spec")))


def file_problems(roots: Iterable[object]) -> Iterator[Problem]:
    """Return what the documents of one file contradict each other in."""
    documents = list(roots)
    yield from _names_taken(documents)
    yield from _policies_taken(documents)
    prioritised = dict(_prioritised(documents))
    for root in documents:
        if value_at(root, "spec", "locality", "prefer") == "Zone":
            for index, target in enumerate(_items(value_at(root, "spec", "targetRefs"))):
                name = value_at(target, "name")
                if isinstance(name, str) and name in prioritised:
                    loc: Loc = ("spec", "targetRefs", index, "name")
                    refusal = zone_and_priority(name, f"line {prioritised[name]}")
                    yield Problem(line_of(root, loc), label_of(root, loc), refusal)


def zone_and_priority(service: str, place: str) -> RefusalError:
    """Return the refusal of a policy that prefers zones for a service whose endpoints have priorities."""
    what = f"locality.prefer: Zone and endpoints[].priority exclude each other, for service {quoted(service)}"
    return RefusalError("LB122", what, why=f"priority is set at {place}", do="take one of the two out")


def name_taken(name: str, place: str) -> RefusalError:
    """Return the refusal of a name that a service has already."""
    what = f"the name {quoted(name)} is taken"
    why = f"a service of that name or alias stands at {place}"
    return RefusalError("LB121", what, why=why, do="choose another name, or put the endpoints together")


def policy_taken(name: str, place: str) -> RefusalError:
    """Return the refusal of a second ServicePolicy with one name."""
    what = f"a second ServicePolicy {quoted(name)}"
    return RefusalError(
        "LB121", what, why=f"the first stands at {place}", do="choose another name, or put them together"
    )


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _each(checks: Iterable[Callable[[object], Found]], value: object) -> Found:
    for check in checks:
        yield from check(value)


def _placed(root: object, base: Loc, found: Found) -> Iterator[Problem]:
    for loc, refusal in found:
        whole = (*base, *loc)
        yield Problem(line_of(root, whole), label_of(root, whole), refusal)


def _names_taken(documents: list[object]) -> Iterator[Problem]:
    taken: dict[str, int] = {}
    for root in documents:
        for index, service in enumerate(_items(value_at(root, "services"))):
            at: Loc = ("services", index)
            aliases = [(*at, "aliases", n) for n in range(len(_items(value_at(service, "aliases"))))]
            for loc in ((*at, "name"), *aliases):
                name, line = value_at(root, *loc), line_of(root, loc)
                if isinstance(name, str) and name in taken:
                    yield Problem(line, label_of(root, loc), name_taken(name, f"line {taken[name]}"))
                elif isinstance(name, str):
                    taken[name] = line


def _policies_taken(documents: list[object]) -> Iterator[Problem]:
    taken: dict[tuple[object, object], int] = {}
    for root in documents:
        space, name = value_at(root, "metadata", "namespace") or "", value_at(root, "metadata", "name")
        if isinstance(space, str) and isinstance(name, str) and value_at(root, "kind") == "ServicePolicy":
            line = line_of(root, ("metadata", "name"))
            if (space, name) in taken:
                yield Problem(line, "metadata.name", policy_taken(name, f"line {taken[space, name]}"))
            taken.setdefault((space, name), line)


def _prioritised(documents: list[object]) -> Iterator[tuple[str, int]]:
    for root in documents:
        for index, service in enumerate(_items(value_at(root, "services"))):
            name, first = value_at(service, "name"), _first_priority(service)
            if isinstance(name, str) and first is not None:
                yield name, line_of(root, ("services", index, "endpoints", first, "priority"))


def _first_priority(service: object) -> int | None:
    endpoints = _items(value_at(service, "endpoints"))
    return next((n for n, each in enumerate(endpoints) if isinstance(each, dict) and "priority" in each), None)


def _duplicate_addresses(service: object) -> Found:
    seen: dict[Address, int] = {}
    for index, endpoint in enumerate(_items(value_at(service, "endpoints"))):
        text = value_at(endpoint, "address")
        try:
            address = Address.parse(text) if isinstance(text, str) else None
        except ValueError:
            address = None
        if address is not None and seen.setdefault(address, index) != index:
            why = f"endpoints[{seen[address]}] has it already"
            what = f"the address {address} stands twice in one service"
            yield (
                ("endpoints", index, "address"),
                RefusalError("LB118", what, why=why, do="remove one, or add the weights"),
            )


def _weight_sums(service: object) -> Found:
    sums: defaultdict[int, int] = defaultdict(int)
    for index, endpoint in enumerate(_items(value_at(service, "endpoints"))):
        given = endpoint if isinstance(endpoint, dict) else {}
        weight, priority = given.get("weight", 1), given.get("priority", 0)
        if not _is_weight(weight) or not isinstance(priority, int):
            continue
        before = sums[priority]
        sums[priority] += weight
        if before <= MAX_WEIGHT_SUM < sums[priority]:
            yield ("endpoints", index, "weight"), _sum_refusal(f"the weights of priority {priority}", sums[priority])


def _is_weight(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= MAX_WEIGHT_SUM


def _sum_refusal(what: str, total: int) -> RefusalError:
    why = f"clients reject sums above {MAX_WEIGHT_SUM}"
    return RefusalError("LB117", f"{what} add up to {total}", why=why, do="divide all of them by the same number")


def _own_zone_and_priority(service: object) -> Found:
    first = _first_priority(service)
    if value_at(service, "policy", "locality", "prefer") == "Zone" and first is not None:
        what = f"policy.locality.prefer: Zone and endpoints[{first}].priority exclude each other"
        why = "prefer: Zone makes the priorities, from each client's zone"
        yield ("endpoints", first, "priority"), RefusalError("LB122", what, why=why, do="take one of the two out")


def _rule_count(service: object) -> Found:
    if len(_items(value_at(service, "rules"))) > 1:
        why = "a rule without matches takes all calls, so the next one would have no effect"
        yield ("rules", 1), RefusalError("LB107", f"a second rule is {NOT_YET}", why=why, do="take it out")


def _rule_weights(service: object) -> Found:
    for index, rule in enumerate(_items(value_at(service, "rules"))):
        refs = [each for each in _items(value_at(rule, "backendRefs")) if isinstance(each, Mapping)]
        weights = [each.get("weight", 1) for each in refs]
        loc: Loc = ("rules", index, "backendRefs")
        if refs and all(_is_weight(weight) for weight in weights):
            if sum(weights) > MAX_WEIGHT_SUM:
                yield loc, _sum_refusal("the weights of the rule", sum(weights))
            elif sum(weights) == 0:
                what = "the weights of the rule add up to 0"
                yield loc, RefusalError("LB117", what, why="clients reject such a rule", do="give one backend a weight")


def _rule_backends(service: object) -> Found:
    for index, rule in enumerate(_items(value_at(service, "rules"))):
        seen: dict[object, int] = {}
        for number, ref in enumerate(_items(value_at(rule, "backendRefs"))):
            name = value_at(ref, "name")
            if isinstance(name, str) and seen.setdefault(name, number) != number:
                what, why = f"the backend {quoted(name)} stands twice", f"backendRefs[{seen[name]}] names it already"
                loc: Loc = ("rules", index, "backendRefs", number, "name")
                yield loc, RefusalError("LB118", what, why=why, do="remove one, or add the weights")


def _objective_and_balancer(policy: object) -> Found:
    objective, picker = value_at(policy, "weighting", "objective"), value_at(policy, "loadBalancer", "type")
    if objective in LATER_OBJECTIVES and picker not in (None, "RoundRobin"):
        what = f"weighting.objective: {objective} and loadBalancer.type: {picker} exclude each other"
        why = "only RoundRobin lets clients follow weights that we compute"
        yield ("loadBalancer", "type"), RefusalError("LB122", what, why=why, do="take one of the two out")


def _hash_and_balancer(policy: object) -> Found:
    balancer = value_at(policy, "loadBalancer")
    picker = value_at(balancer, "type") or "RoundRobin"
    if isinstance(balancer, dict) and "ringHash" in balancer and picker != "RingHash":
        what = f"loadBalancer.ringHash and loadBalancer.type: {picker} exclude each other"
        why = "ringHash says what the type RingHash hashes"
        yield (
            ("loadBalancer", "ringHash"),
            RefusalError("LB122", what, why=why, do="write type: RingHash, or take it out"),
        )


def _drop_categories(policy: object) -> Found:
    seen: dict[str, int] = {}
    for index, drop in enumerate(_items(value_at(policy, "drop"))):
        name = value_at(drop, "category")
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            what, why = f"the category {quoted(name)} stands twice", f"drop[{seen[name]}] has it already"
            yield ("drop", index, "category"), RefusalError("LB118", what, why=why, do="remove one, or rename it")


SERVICE_CHECKS = (
    _duplicate_addresses,
    _weight_sums,
    _own_zone_and_priority,
    _rule_count,
    _rule_weights,
    _rule_backends,
)
POLICY_CHECKS = (_objective_and_balancer, _hash_and_balancer, _drop_categories)
