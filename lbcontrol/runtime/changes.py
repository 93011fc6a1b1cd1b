"""What a flush changed, in the order in which clients must hear of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lbcontrol.model.rendering import ResourceType
from lbcontrol.runtime.parking import Slot
from lbcontrol.runtime.views import Change

TYPES = (ResourceType.CLUSTER, ResourceType.ENDPOINTS, ResourceType.LISTENER, ResourceType.ROUTE)
"""What is published, in make-before-break order."""
_ORDER = {type_: place for place, type_ in enumerate(TYPES)}

Slots = dict[str, Slot]
"""Slots by resource name."""


def differences(
    type: ResourceType,  # noqa: A002  (field's term)
    before: Mapping[ResourceType, Slots],
    *,
    after: Mapping[ResourceType, Slots],
) -> Iterator[tuple[Change, bool]]:
    """Return what differs between two states of one service, and for each whether it is gone."""
    old, new = before.get(type, {}), after.get(type, {})
    for name in dict.fromkeys((*old, *new)):
        slot, was = new.get(name), old.get(name)
        if slot is None:
            yield (type, name), True
        elif was is None or was.shown is not slot.shown:
            yield (type, name), False


def in_order(changes: Iterable[tuple[Change, bool]]) -> list[Change]:
    """Return changes make-before-break: what is new or different in order of type, then what is gone in reverse.

    A name that one service gives up and another takes over is different, not gone.
    """
    gone: dict[Change, bool] = {}
    for change, is_gone in changes:
        gone[change] = gone.get(change, True) and is_gone
    stays = sorted((_ORDER[type_], name) for (type_, name), is_gone in gone.items() if not is_gone)
    leaves = sorted(((-_ORDER[type_], name) for (type_, name), is_gone in gone.items() if is_gone))
    return [(TYPES[place], name) for place, name in stays] + [(TYPES[-place], name) for place, name in leaves]
