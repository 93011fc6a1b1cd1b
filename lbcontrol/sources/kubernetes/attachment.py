"""Which ServicePolicies are for which Service, and whose settings win (GEP-713: the oldest, then the first by name).

A policy that becomes malformed goes on saying what it said when it was right, to the Services it was for then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lbcontrol.sources.documents.warn import precedence
from lbcontrol.sources.kubernetes.objects import Key
from lbcontrol.sources.kubernetes.policies import Policy

NOBODY: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """One policy."""

    newest: Policy
    good: Policy | None
    """The newest, or when that is malformed its last good form; None when it has had none since start."""

    @property
    def concerned(self) -> frozenset[Key]:
        """Return the Services it is or was for."""
        return self.newest.targeted() | (self.good.targeted() if self.good else NOBODY)


class PolicyBook:
    """Begins empty. Bounded by what the API server holds."""

    def __init__(self) -> None:
        """Know nothing."""
        self._held: dict[Key, Held] = {}
        self._concerning: defaultdict[Key, set[Key]] = defaultdict(set)

    def put(self, policy: Policy) -> frozenset[Key]:
        """A policy is new or different; returns the Services for which that may matter."""
        old = self._held.get(policy.key)
        if old is not None and old.newest.uid != policy.uid:  # Deleted and made again: it has no past.
            old = None
        good = policy if policy.claim is not None else old.good if old else None
        new = Held(policy, good)
        before = self._replace(policy.key, new)
        return NOBODY if before is not None and _says_the_same(before, new) else _concerned(before, new)

    def drop(self, key: Key) -> frozenset[Key]:
        """A policy is gone; returns the Services for which that matters."""
        return _concerned(self._replace(key, None), None)

    def keys(self, namespace: str) -> set[Key]:
        """Return the policies known of a namespace; of all for ""."""
        return {key for key in self._held if namespace in ("", key[0])}

    def find(self, key: Key) -> Held | None:
        """Return a policy."""
        return self._held.get(key)

    def concerning(self, service: Key) -> frozenset[Key]:
        """Return the policies that are, or were in their last good form, for a Service."""
        return frozenset(self._concerning.get(service, ()))

    def ranked(self, service: Key) -> tuple[Policy, ...]:
        """Return the good forms of those that are for a Service, the one in force first."""
        found = (self._held[key].good for key in self._concerning.get(service, ()))
        return in_order(each for each in found if each is not None and service in each.targeted())

    def _replace(self, key: Key, new: Held | None) -> Held | None:
        before = self._held.pop(key, None)
        for service in before.concerned if before else ():
            self._concerning[service].discard(key)
            if not self._concerning[service]:
                del self._concerning[service]
        if new is not None:
            self._held[key] = new
            for service in new.concerned:
                self._concerning[service].add(key)
        return before


def in_order(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Return policies that have a claim, the one that wins first."""
    claimed = [(precedence(each.claim), each.key, each) for each in policies if each.claim is not None]
    return tuple(each for *_, each in sorted(claimed, key=lambda row: row[:2]))


def marks_of(policies: Sequence[Policy]) -> list[str]:
    """Return what tells the specs of policies apart; what is written into their status does not show in it."""
    return [f"{each.key[1]}#{each.uid}#{each.generation}" for each in policies]


def _says_the_same(before: Held, after: Held) -> bool:
    return _content(before) == _content(after)


def _content(held: Held) -> Mapping[str, object]:
    newest, good = held.newest, held.good
    return {
        "uid": newest.uid,
        "newest": (newest.generation, newest.claim, newest.targets, newest.findings),
        "good": good and (good.generation, good.claim, good.targets),
    }


def _concerned(*held: Held | None) -> frozenset[Key]:
    return NOBODY.union(*(each.concerned for each in held if each is not None))
