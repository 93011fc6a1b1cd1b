"""Scenarios: data that says what an ADS server must do, and why. The words are explained in README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "scenarios"
VERBS = {
    "close": {"stream"},
    "send": {
        "type", "stream", "names", "many", "version", "nonce", "error", "node", "subscribe", "unsubscribe", "initial",
    },
    "expect": {"type", "stream", "names", "may", "removed", "version", "ack", "body", "nonce"},
    "silence": {"stream"},
    "publish": {"set", "remove", "timeout", "complete"},
    "end": {"stream", "code"},
}  # fmt: skip
"""Every verb and the keys it takes."""


@dataclass(frozen=True)
class Step:
    """One line of a script."""

    verb: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Scenario:
    """One claim, where it comes from, and the script that shows it."""

    id: str
    variant: str
    claim: str
    cites: str
    steps: tuple[Step, ...]
    world: Mapping[str, Any]
    """Endpoint weights by service; ``drain`` stands for a draining endpoint."""
    complete: bool
    barrier: str
    """The type whose requests prove silence: one that the script itself does not use."""
    differs: str
    """Why go-control-plane does not behave like this; empty when it does."""
    differs_at: int
    """The step at which it then fails; 0 where that is left to chance."""
    runs: int
    """How often to try: more than once only where the difference is left to chance."""


class ScenarioError(ValueError):
    """A scenario file says something that has no meaning."""


def _step(where: str, raw: Mapping[str, Any]) -> Step:
    if len(raw) != 1:
        raise ScenarioError(f"{where}: a step has one verb, not {sorted(raw)}")
    ((verb, arguments),) = raw.items()
    given = set(arguments or {})
    if verb not in VERBS or not given <= VERBS[verb]:
        raise ScenarioError(f"{where}: unknown verb or keys: {verb} {sorted(given - VERBS.get(verb, set()))}")
    return Step(verb, arguments or {})


def _scenario(variant: str, raw: Mapping[str, Any]) -> Scenario:
    keys = {"id", "claim", "cites", "steps", "world", "complete", "control_group"}
    if not set(raw) <= keys:
        raise ScenarioError(f"{raw.get('id')}: unknown keys {sorted(set(raw) - keys)}")
    control = raw.get("control_group", {})
    if not set(control) <= {"differs", "step", "runs"}:
        raise ScenarioError(f"{raw['id']}: unknown keys in control_group: {sorted(control)}")
    used = {step[verb].get("type") for step in raw["steps"] for verb in step if step[verb]}
    return Scenario(
        id=raw["id"],
        variant=variant,
        claim=raw["claim"],
        cites=raw["cites"],
        steps=tuple(_step(raw["id"], step) for step in raw["steps"]),
        world=raw.get("world", {"a": [1, 2], "b": [1]}),
        complete=raw.get("complete", True),
        barrier=next(kind for kind in ("RDS", "EDS", "CDS", "LDS") if kind not in used),
        differs=control.get("differs", ""),
        differs_at=control.get("step", 0),
        runs=control.get("runs", 1),
    )


def _each_type(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Repeat a scenario for each of its ``types``, with ``$T`` replaced; most have none."""
    kinds = raw.get("types", [""])
    plain = json.dumps({key: value for key, value in raw.items() if key != "types"})
    return [json.loads(plain.replace("$T", kind)) for kind in kinds]


def load() -> list[Scenario]:
    """Read every scenario file; the part of a file name before the first ``-`` is the protocol variant."""
    found: list[Scenario] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        variant = path.name.partition("-")[0]
        for raw in yaml.safe_load(path.read_text(encoding="utf-8")):
            found += [_scenario(variant, one) for one in _each_type(raw)]
    return found
