"""Weight classes: many endpoints told as few localities, without moving one for every step of its weight.

Goal: a gRPC client with 2,000 localities needs 4.9 s of CPU to set up, with some dozens 0.6 s; but an endpoint that
changes its locality is dialled anew (measured 2026-11-23, grpcio 1.85.1). So classes are few and membership calm.

Arithmetic: classes lie on a fixed geometric grid, ``steps`` to the octave: weight w stands at x = steps * log2(w) and
belongs to class floor(x). The grid does not depend on who else is there. The locality weight is the sum of its members'
weights, so that a class has its exact share, and a member has the mean of its class: at most one class width off, a
factor 2^(1/steps) (9 % for 8 steps). The grid is the finest of 8, 4, 2, 1 steps that needs at most 24 classes; one
step always does with 32, because weights have 32 bits. Two hystereses: an endpoint leaves its class only when its
weight stands half a class outside it (so a member is at most two widths off); and a grid stays while 32 classes do, and
gets finer only when 16 do, because another grid renames every class, so that every endpoint is dialled anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

STEPS = (8, 4, 2, 1)
"""Classes per octave, finest first."""
MAX_CLASSES = 32
"""Most classes with which a grid stays."""
NEW_CLASSES = 24
"""Most classes with which a grid is taken."""
FINER_CLASSES = 16
"""Most classes with which a finer grid replaces a published one."""
MARGIN = 0.5
"""How far outside its class, in class widths, a weight must stand before its endpoint moves."""
_NAME = "class"


def class_name(steps: int, number: int) -> str:
    """Return the sub-zone of a class, from which ``class_of`` reads it back."""
    return f"{_NAME}-{steps}-{number}"


def class_of(sub_zone: str) -> tuple[int, int] | None:
    """Return (steps, number) of a class's sub-zone; None when it names none."""
    name, *numbers = sub_zone.split("-")
    if name != _NAME or len(numbers) != 2 or not all(part.isascii() and part.isdigit() for part in numbers):
        return None
    return int(numbers[0]), int(numbers[1])


def placed(weight: int, *, steps: int, before: int | None) -> int:
    """Return the class of ``weight`` on a grid: the one before while it stands near that, else where it stands."""
    x = steps * math.log2(weight)
    if before is not None and before - MARGIN <= x < before + 1 + MARGIN:
        return before
    return math.floor(x)


class Grid:
    """Classes as they were published, and the endpoints placed anew."""

    def __init__(self, sub_zones: Iterable[str]) -> None:
        """Read the published classes from their sub-zones; none when there were no classes."""
        read = {sub_zone: class_of(sub_zone) for sub_zone in sub_zones}
        self.steps = min([parts[0] for parts in read.values() if parts is not None], default=None)
        """Steps of the published grid; None when there was none."""
        self._numbers = {name: parts[1] for name, parts in read.items() if parts is not None}

    def classify(self, before: Sequence[str | None], weights: Sequence[int]) -> tuple[int, list[int]]:
        """Return the steps of the grid to use and the class number of each endpoint.

        Args:
            before: published sub-zone of each endpoint, None for a new one.
            weights: of the same endpoints, at least 1.
        """
        distinct = set(weights)
        for steps in STEPS[:-1]:
            limit = self._limit(steps)
            fresh = steps != self.steps  # Damping counts on the published grid only.
            if fresh and len({placed(weight, steps=steps, before=None) for weight in distinct}) > limit:
                continue
            numbers = self._place(before, weights, steps)
            if len(set(numbers)) <= limit:
                return steps, numbers
        return STEPS[-1], self._place(before, weights, STEPS[-1])

    def _limit(self, steps: int) -> int:
        if self.steps is None or steps < self.steps:
            return NEW_CLASSES
        return MAX_CLASSES if steps == self.steps else FINER_CLASSES

    def _place(self, before: Iterable[str | None], weights: Iterable[int], steps: int) -> list[int]:
        numbers = self._numbers if steps == self.steps else {}
        pairs = list(zip(weights, before, strict=True))
        place = {pair: placed(pair[0], steps=steps, before=numbers.get(pair[1] or "")) for pair in set(pairs)}
        return [place[pair] for pair in pairs]
