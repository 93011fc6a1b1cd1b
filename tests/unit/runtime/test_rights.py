"""The table of rights: what no rule grants is denied, patterns are text, and names cannot be borrowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbcontrol.model.clients import Identity, Role
from lbcontrol.runtime.rights import LOCAL, MOST_GRANTS, Rights, Rule, fits, namespace_of

SHOP = Identity("system:serviceaccount:shop:web", authenticated=True)
BANK = Identity("system:serviceaccount:bank:web", authenticated=True)
SPIFFE = Identity("spiffe://corp/ns/shop/sa/web", authenticated=True)
NOBODY = Identity()
READ = frozenset({Role.READ})


def test_nothing_is_granted_without_a_rule() -> None:
    """Not even to whoever proved who they are."""
    rights = Rights((), own_namespace=False)
    assert not any(rights.allows(who, role, "echo.shop") for who in (SHOP, NOBODY, LOCAL) for role in Role)
    assert not any(rights.allows(who, role, "") for who in (SHOP, NOBODY, LOCAL) for role in Role)


def test_service_account_reads_its_own_namespace_and_no_more() -> None:
    """All ports of its services; no other role; nothing whose name only ends alike."""
    rights = Rights(())
    assert rights.allows(SHOP, Role.READ, "echo.shop")
    assert rights.allows(SHOP, Role.READ, "echo.shop:9090")
    for name in ("echo.bank", "shop", "echo.workshop", "a.b.shop", "echo.shop.evil", ""):
        assert not rights.allows(SHOP, Role.READ, name)
    assert not rights.allows(SHOP, Role.OPERATE, "echo.shop")
    assert not rights.allows(Identity(SHOP.name), Role.READ, "echo.shop")
    assert not rights.allows(SPIFFE, Role.READ, "echo.shop")


@pytest.mark.parametrize(
    ("pattern", "means", "means_not"),
    [
        ("greeter", "greeter", "greeter2"),
        ("*.shop", "echo.shop", "echo.shopping"),
        ("shop-*", "shop-a", "shop"),
        ("*", "anything.at.all", None),
        ("a.c", "a.c", "abc"),
    ],
)
def test_patterns_are_text(pattern: str, means: str, means_not: str | None) -> None:
    """One star at an end; a dot is a dot."""
    rights = Rights((Rule(READ, (SHOP.name,), (pattern,)),), own_namespace=False)
    assert rights.allows(SHOP, Role.READ, means)
    assert rights.allows(SHOP, Role.READ, f"{means}:50051")
    assert means_not is None or not rights.allows(SHOP, Role.READ, means_not)
    assert not rights.allows(BANK, Role.READ, means)


def test_nobody_is_meant_by_a_star_and_local_only_by_its_name() -> None:
    """Who proved nothing, and who is on this machine, are named or not meant; a certificate cannot borrow the name."""
    everyone = Rights((Rule(READ, ("*",), ("*",)),))
    assert everyone.allows(SHOP, Role.READ, "greeter")
    assert not everyone.allows(NOBODY, Role.READ, "greeter")
    assert not everyone.allows(LOCAL, Role.READ, "greeter")
    named = Rights((Rule(READ, ("anonymous", "local"), ("*",)),))
    assert named.allows(NOBODY, Role.READ, "greeter")
    assert named.allows(LOCAL, Role.READ, "greeter")
    for name in ("anonymous", "local"):
        assert not named.allows(Identity(name, authenticated=True), Role.READ, "greeter")


def test_what_concerns_no_service_needs_any_rule_of_the_role() -> None:
    """A rule without services grants that alone."""
    rights = Rights((Rule(frozenset({Role.INSPECT}), ("anonymous",)),))
    assert rights.allows(NOBODY, Role.INSPECT, "")
    assert not rights.allows(NOBODY, Role.INSPECT, "greeter")
    assert not rights.allows(NOBODY, Role.READ, "")


def test_grants_are_bounded() -> None:
    """However many identities come, what is kept of them is limited, and answers stay the same."""
    rights = Rights((Rule(READ, ("u*",), ("*",)),))
    for number in range(MOST_GRANTS + 10):
        assert rights.allows(Identity(f"u{number}", authenticated=True), Role.READ, "greeter")
    assert len(rights._grants) <= MOST_GRANTS


@given(st.text(max_size=6), st.text(max_size=12))
def test_a_pattern_without_a_star_means_itself_only(pattern: str, text: str) -> None:
    """Whatever characters it has."""
    assert fits(pattern, text) == (pattern == text) or "*" in pattern


def test_start_says_when_operators_are_locked_out() -> None:
    """Whoever forgets them learns it before a drain is needed."""
    rule = Rule(frozenset({Role.OPERATE}), ("local",), ("*",))
    assert "nobody may drain" in Rights(()).description
    assert "nobody may drain" not in Rights((rule,)).description


@pytest.mark.parametrize("name", ["web", "system:serviceaccount:", "system:serviceaccount:shop", "system:node:shop:a"])
def test_only_service_accounts_have_a_namespace(name: str) -> None:
    """Whole names, and proved ones."""
    assert namespace_of(Identity(name, authenticated=True)) == ""
    assert (namespace_of(SHOP), namespace_of(Identity(SHOP.name))) == ("shop", "")
