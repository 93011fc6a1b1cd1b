"""``status.ancestors`` of a ServicePolicy: what is there and what is said now, made into what has to be written.

One entry for each Service of ``targetRefs``. Entries of other controllers stay as they are. A condition's
``lastTransitionTime`` moves when its status does, and with nothing else (KEP-1623).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lbcontrol.sources.kubernetes.objects import Json
from lbcontrol.sources.kubernetes.policies import MOST_TARGETS, Policy
from lbcontrol.sources.kubernetes.verdicts import Condition

CONTROLLER = "lbcontrol.io/control-plane"
"""Who says so: ``controllerName`` of our entries."""
MOST = MOST_TARGETS
"""Entries of a status, of all controllers together."""

Said = Mapping[str, Sequence[Condition]]
"""Conditions by name of the Service, in the order of the targets."""


def ancestors(policy: Policy, said: Said, *, now: str) -> list[Json] | None:
    """Return the entries to write, or None when they are there already.

    Args:
        policy: As the API server has it.
        said: What is true now.
        now: RFC 3339; the time of every transition.
    """
    foreign = [each for each in policy.ancestors if each.get("controllerName") != CONTROLLER]
    before = {_name(each): each for each in policy.ancestors if each.get("controllerName") == CONTROLLER}
    made = [*foreign, *(_entry(policy, name, said[name], before=before.get(name), now=now) for name in said)][:MOST]
    in_place = sorted(made, key=lambda each: _place(each, policy.ancestors))
    return None if in_place == list(policy.ancestors) else in_place


def _place(entry: Json, found: Sequence[Json]) -> int:
    """Keep the order that is there; what is new comes last."""
    places = (n for n, each in enumerate(found) if _who(each) == _who(entry))
    return next(places, len(found))


def _who(entry: Json) -> tuple[object, object]:
    return entry.get("controllerName"), entry.get("ancestorRef")


def _entry(policy: Policy, name: str, said: Sequence[Condition], *, before: Json | None, now: str) -> Json:
    held = {each.get("type"): each for each in _conditions(before)}
    reference = {"group": "", "kind": "Service", "namespace": policy.key[0], "name": name}
    return {
        "ancestorRef": reference,
        "controllerName": CONTROLLER,
        "conditions": [_condition(each, held.get(each.type), generation=policy.generation, now=now) for each in said],
    }


def _condition(said: Condition, before: Json | None, *, generation: int, now: str) -> Json:
    status = "True" if said.holds else "False"
    since = before.get("lastTransitionTime") if before and before.get("status") == status else None
    return {
        "type": said.type,
        "status": status,
        "observedGeneration": generation,
        "lastTransitionTime": since or now,
        "reason": said.reason,
        "message": said.message,
    }


def _conditions(entry: Json | None) -> list[Mapping[str, Any]]:
    found = entry.get("conditions") if entry else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _name(entry: Json) -> str | None:
    reference = entry.get("ancestorRef")
    return str(reference.get("name")) if isinstance(reference, Mapping) else None
