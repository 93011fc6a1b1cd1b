"""ServicePolicies, whatever comes in whatever order: who is in force is what is said, and is said once."""

from __future__ import annotations

import dataclasses

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lbcontrol.sources.kubernetes.ancestors import ancestors
from lbcontrol.sources.kubernetes.objects import Key
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.policies import Policy
from lbcontrol.sources.kubernetes.verdicts import Meeting, Presence, conditions
from tests.support.kube_objects import policy, service

POLICIES, SERVICES = st.sampled_from("pqr"), st.sampled_from("ab")
TARGETS = st.lists(SERVICES, min_size=1, max_size=2, unique=True)
NOW = "2026-11-25T12:00:00Z"


class Attachment(RuleBasedStateMachine):
    """A picture beside a model that knows only what each policy said last, and last when it was right."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.picture = Picture("cluster", KubernetesOptions())
        self.newest: dict[str, Policy] = {}
        self.good: dict[str, Policy] = {}
        self.balanced: set[str] = set()
        self.sink: dict[str, tuple[str, ...]] = {}
        self.count = 0

    @rule(name=POLICIES, of=TARGETS, age=st.integers(0, 2), good=st.booleans(), again=st.booleans())
    def put_policy(self, name: str, of: list[str], age: int, *, good: bool, again: bool) -> None:
        """A policy comes, changes, becomes malformed, or is made again under its name."""
        self.count += 1
        uid = f"u{self.count}" if again or name not in self.newest else self.newest[name].uid
        timeout = f"{self.count}s" if good else "0s"
        made = policy(name, *of, age=age, uid=uid, generation=self.count, timeout=timeout)
        if name in self.newest and self.newest[name].uid != uid:
            self.good.pop(name, None)
        self.newest[name] = made
        if good:
            self.good[name] = made
        self.picture.put_policy(made)

    @rule(name=POLICIES)
    def drop_policy(self, name: str) -> None:
        """A policy goes, known or not."""
        self.newest.pop(name, None)
        self.good.pop(name, None)
        self.picture.drop_policy(("shop", name))

    @rule(name=SERVICES, balanced=st.booleans())
    def put_service(self, name: str, *, balanced: bool) -> None:
        """A Service comes or changes."""
        self.balanced = self.balanced | {name} if balanced else self.balanced - {name}
        self.picture.put_service(service(name, enabled="true" if balanced else "false"))

    @rule(name=SERVICES)
    def drop_service(self, name: str) -> None:
        """A Service goes."""
        self.balanced.discard(name)
        self.picture.drop_service(("shop", name))

    @rule()
    def tell(self) -> None:
        """The sink is told."""
        telling = self.picture.take(100)
        self.sink |= {each.service: tuple(claim.origin for claim in each.policies) for each in telling.changed}
        for name in telling.removed:
            del self.sink[name]

    def winners(self, name: str) -> list[Policy]:
        """Return the good policies of a Service, by age and name, in another way than the code."""
        found = [each for each in self.good.values() if name in each.targets]
        return sorted(found, key=lambda each: (each.claim.created_at if each.claim else 0.0, each.key[1]))

    def meeting(self, key: Key) -> Meeting:
        """Return what a policy meets when all that was told is in force."""
        claims = tuple(each.claim for each in self.picture.policies.ranked(key) if each.claim)
        return Meeting(key, self.picture.presence(key), self.picture.policies.ranked(key), (claims,))

    @invariant()
    def one_policy_of_a_service_is_accepted(self) -> None:
        """The winner, if what it says now is right; all the others have a reason."""
        for name in "ab":
            accepted = []
            for each in (each for each in self.newest.values() if name in each.targets):
                held = self.picture.policies.find(each.key)
                assert held is not None
                first, second = conditions(held, self.meeting(("shop", name)))
                assert first.holds == second.holds
                accepted += [each.key[1]] if first.holds else []
            first_of = [each.key[1] for each in self.winners(name)[:1] if each is self.newest[each.key[1]]]
            assert accepted == (first_of if name in self.balanced else [])

    @invariant()
    def what_is_written_is_not_written_again(self) -> None:
        """Whatever was there before."""
        for each in self.newest.values():
            held = self.picture.policies.find(each.key)
            assert held is not None
            said = {name: conditions(held, self.meeting((each.key[0], name))) for name in each.targets}
            written = ancestors(held.newest, said, now=NOW)
            after = dataclasses.replace(held.newest, ancestors=tuple(written or held.newest.ancestors))
            assert ancestors(after, said, now="later") is None
            assert {entry["ancestorRef"]["name"] for entry in after.ancestors} == set(each.targets)

    def teardown(self) -> None:
        """All told: the snapshots carry the winners in order, and the source complains of what has no place."""
        self.tell()
        expected = {f"{name}.shop": tuple(each.origin for each in self.winners(name)) for name in self.balanced}
        assert self.sink == expected
        astray = sum(name not in self.balanced for each in self.newest.values() for name in each.targets)
        wrong = sum(len(each.findings) for each in self.newest.values())
        assert len(list(self.picture.findings())) == astray + wrong
        assert all(self.picture.presence(("shop", name)) is Presence.BALANCED for name in self.balanced)


TestAttachment = Attachment.TestCase
TestAttachment.settings = settings(stateful_step_count=25, deadline=None)
