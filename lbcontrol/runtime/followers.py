"""Which streams follow which resources of a view, and what each has to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from lbcontrol.model.rendering import ResourceType
from lbcontrol.runtime.views import ALL, Change, Follower

_NOBODY: Mapping[Follower, None] = {}


class Followers:
    """An index of followers. Bounded by what the streams follow, which their front end limits."""

    def __init__(self) -> None:
        """Begin empty."""
        self._by_change: dict[Change, dict[Follower, None]] = {}

    def add(self, follower: Follower, what: Change) -> None:
        """Note that ``follower`` follows ``what``."""
        self._by_change.setdefault(what, {})[follower] = None

    def remove(self, follower: Follower, what: Change) -> bool:
        """Forget it; True when nobody follows ``what`` any more and somebody did."""
        followers = self._by_change.get(what)
        if followers is None or follower not in followers:
            return False
        del followers[follower]
        if followers:
            return False
        del self._by_change[what]
        return True

    def changes(self) -> Collection[Change]:
        """Return what is followed."""
        return tuple(self._by_change)

    def follows(self, type: ResourceType, names: Iterable[str]) -> bool:  # noqa: A002  (field's term)
        """True when any of the names, or everything of the type, is followed."""
        return (type, ALL) in self._by_change or any((type, name) in self._by_change for name in names)

    def has(self, what: Change) -> bool:
        """True when ``what`` is followed by its name."""
        return what in self._by_change

    def count(self, what: Change) -> int:
        """Return how many follow ``what``, by name or as part of everything."""
        type_, _ = what
        return len(self._by_change.get(what, _NOBODY)) + len(self._by_change.get((type_, ALL), _NOBODY))

    def tellings(self, changes: Sequence[Change]) -> dict[Follower, tuple[Change, ...]]:
        """Return for each follower what of ``changes`` concerns it, in that order.

        Followers with the same changes share one tuple, so that a change that 10,000 streams follow costs one dict
        entry each and nothing more.
        """
        if len(changes) == 1 and (changes[0][0], ALL) not in self._by_change:
            return dict.fromkeys(self._by_change.get(changes[0], _NOBODY), (changes[0],))
        told: dict[Follower, tuple[Change, ...]] = {}
        for change in changes:
            longer: dict[int, tuple[Change, ...]] = {}  # id of a tuple to it and this change; told keeps it alive
            kept: list[tuple[Change, ...]] = []
            for followers in (self._by_change.get(change, _NOBODY), self._by_change.get((change[0], ALL), _NOBODY)):
                for follower in followers:
                    before = told.get(follower, ())
                    if before and before[-1] == change:
                        continue  # Follows it by name and as part of everything.
                    after = longer.get(id(before))
                    if after is None:
                        after = longer[id(before)] = (*before, change)
                        kept.append(before)
                    told[follower] = after
        return told
