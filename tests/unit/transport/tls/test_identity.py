"""Whom a certificate names."""

from __future__ import annotations

import pytest

from lbcontrol.transport.tls.identity import NoIdentityError, name_of

ID = "spiffe://shop.example/ns/shop/sa/cart"


def test_uri_comes_before_dns() -> None:
    """A SPIFFE id is the name even when it stands last; of DNS names the first counts."""
    assert name_of([("DNS", "a.example"), ("URI", ID)]) == ID
    assert name_of([("IP Address", "10.0.0.1"), ("DNS", "a.example"), ("DNS", "b.example")]) == "a.example"


@pytest.mark.parametrize(
    "names",
    [
        [],
        [("IP Address", "10.0.0.1")],
        [("URI", ID), ("URI", f"{ID}2")],
        [("URI", "")],
        [("URI", "system:serviceaccount:shop:web")],
        [("DNS", "a\0b")],
        [("DNS", "a b")],
        [("URI", "spiffe://x/\x1b[31m")],
        [("URI", "spiffe://x/" + "y" * 2_048)],
    ],
)
def test_what_names_nobody_is_refused(names: list[tuple[str, str]]) -> None:
    """No name, two ids, control characters, endless ones: fail closed."""
    with pytest.raises(NoIdentityError):
        name_of(names)
