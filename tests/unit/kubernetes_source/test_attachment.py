"""Which policies are for which Service, and who wins."""

from __future__ import annotations

from lbcontrol.sources.kubernetes.attachment import PolicyBook, marks_of
from lbcontrol.sources.kubernetes.policies import Policy
from tests.support.kube_objects import policy

ECHO, CHAT = ("shop", "echo"), ("shop", "chat")


def book(*policies: Policy) -> PolicyBook:
    """Return a book of policies."""
    made = PolicyBook()
    for each in policies:
        made.put(each)
    return made


def ranked(of: PolicyBook) -> list[str]:
    """Return the names of those for echo, the winner first."""
    return [each.key[1] for each in of.ranked(ECHO)]


def test_the_oldest_wins_and_of_one_age_the_first_by_name() -> None:
    """GEP-713, whatever comes first."""
    policies = [policy("c"), policy("b"), policy("z", age=5), policy("elsewhere", "chat")]
    assert ranked(book(*policies)) == ranked(book(*reversed(policies))) == ["z", "b", "c"]


def test_change_concerns_old_and_new_targets() -> None:
    """The Service it leaves needs a look as much as the one it comes to."""
    made = book()
    assert made.put(policy("p", "echo")) == {ECHO}
    assert made.put(policy("p", "chat", generation=2)) == {ECHO, CHAT}
    assert made.concerning(ECHO) == frozenset()
    assert made.drop(("shop", "p")) == {CHAT}
    assert made.drop(("shop", "p")) == frozenset()
    assert made.keys("") == set()


def test_status_alone_concerns_no_service() -> None:
    """Our own writes come back by the watch, and must not stir what clients are told."""
    made = book(policy("p"))
    assert made.put(policy("p", mark="2", ancestors=[{"controllerName": "x"}])) == frozenset()
    held = made.find(("shop", "p"))
    assert held is not None
    assert held.newest.mark == "2"
    assert marks_of(made.ranked(ECHO)) == ["p#uid-p#1"]


def test_malformed_policy_goes_on_saying_what_it_said() -> None:
    """For the Services it was for then; a right one replaces that."""
    made = book(policy("p", "echo", timeout="3s"))
    assert made.put(policy("p", "chat", generation=2, timeout="0s")) == {ECHO, CHAT}
    assert ranked(made) == ["p"]
    assert not made.ranked(CHAT)
    assert made.concerning(CHAT) == {("shop", "p")}
    made.put(policy("p", "chat", generation=3))
    assert (ranked(made), [each.generation for each in made.ranked(CHAT)]) == ([], [3])


def test_policy_made_again_has_no_past() -> None:
    """Another uid: what the old one said is gone with it."""
    made = book(policy("p", timeout="3s"))
    made.put(policy("p", uid="new", timeout="0s"))
    assert ranked(made) == []


def test_keys_are_those_of_a_namespace() -> None:
    """Each namespace is listed on its own."""
    made = book(policy("p"))
    assert (made.keys("shop"), made.keys("other"), made.keys("")) == ({("shop", "p")}, set(), {("shop", "p")})
