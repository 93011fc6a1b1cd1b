"""Operators' verbs log in with a token, and never say it aloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.proof import Proof, login_of


@pytest.fixture
def token(tmp_path: Path) -> str:
    """A file with a token, as editors leave it."""
    file = tmp_path / "token"
    file.write_text("secret\n")
    return str(file)


@pytest.mark.parametrize(
    ("address", "proof"), [("127.0.0.1:1", None), ("unix:/run/a.sock", None), ("lb.example:18000", Proof("ca.crt"))]
)
def test_token_is_sent_where_nobody_can_read_it(token: str, address: str, proof: Proof | None) -> None:
    """On this machine, or with TLS; without a token nothing is sent."""
    assert login_of(token, address, proof=proof) == (("authorization", "Bearer secret"),)
    assert login_of("", address, proof=proof) == ()


def test_token_does_not_go_over_the_network_in_plaintext(token: str) -> None:
    """The words say what to do, and not what the token is."""
    with pytest.raises(CommandError, match="LB517") as caught:
        login_of(token, "10.0.0.1:18000", proof=None)
    assert "secret" not in str(caught.value)


def test_token_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(CommandError, match=r"LB517.*no-such"):
        login_of(str(tmp_path / "no-such"), "127.0.0.1:1", proof=None)
