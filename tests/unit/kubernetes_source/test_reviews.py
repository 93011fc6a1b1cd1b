"""What the API server says of a token is believed only when it says all of it."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from lbcontrol.model.clients import Identity
from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.sources.kubernetes.api import Api, connect
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.reviews import MOST_NAME, PATH, TokenReviews

NAME = "system:serviceaccount:shop:web"
GOOD: dict[str, Any] = {"authenticated": True, "audiences": ["lb"], "user": {"username": NAME}}


class Answering:
    """An API server of one answer."""

    def __init__(self, code: int, text: str) -> None:
        """Answer so."""
        self.code, self.text = code, text
        self.asked: list[tuple[str, str, Any]] = []
        self.closed = False

    async def send(self, method: str, path: str, *, body: object = None) -> tuple[int, str]:
        """Note the question."""
        self.asked.append((method, path, body))
        return self.code, self.text

    async def close(self) -> None:
        """Note it."""
        self.closed = True


def reviews(status: object, *, code: int = 201, text: str | None = None) -> tuple[TokenReviews, Answering]:
    """Return a reviewer whose API server gives this status."""
    server = Answering(code, json.dumps({"status": status}) if text is None else text)
    return TokenReviews("lb", KubernetesOptions(), _api=cast("Api", server)), server


async def test_good_token_names_its_owner() -> None:
    """The question names our audience."""
    made, server = reviews(GOOD)
    assert await made.review("t") == Identity(NAME, authenticated=True)
    ((method, path, body),) = server.asked
    assert (method, path, body["spec"]) == ("POST", PATH, {"token": "t", "audiences": ["lb"]})
    await made.close()
    assert server.closed


@pytest.mark.parametrize(
    "change",
    [
        {"authenticated": False},
        {"authenticated": "true"},
        {"authenticated": None},
        {"audiences": None},
        {"audiences": []},
        {"audiences": ["lb2"]},
        {"audiences": "lb"},
        {"user": None},
        {"user": {}},
        {"user": {"username": ""}},
        {"user": {"username": 7}},
        {"user": {"username": "local process"}},
        {"user": {"username": "a\nb"}},
        {"user": {"username": "x" * (MOST_NAME + 1)}},
    ],
)
async def test_anything_less_is_nobody(change: dict[str, object]) -> None:
    """An API server that knows no audiences says nothing of them, and then nobody is let in."""
    made, _ = reviews({**GOOD, **change})
    assert await made.review("t") is None


@pytest.mark.parametrize(
    ("code", "text"),
    [(403, '{"message": "no"}'), (500, "x"), (429, ""), (201, "{"), (201, "[]"), (201, '{"status": 7}'), (201, "null")],
)
async def test_answer_that_is_none_is_not_a_refusal(code: int, text: str) -> None:
    """The client may come again; what is missing is said."""
    made, _ = reviews(None, code=code, text=text)
    with pytest.raises(SourceUnavailableError, match="LB521") as caught:
        await made.review("t")
    assert code != 403 or "tokenreviews" in caught.value.finding.do


async def test_kubeconfig_that_is_not_there_is_named() -> None:
    """As the source's would be."""
    with pytest.raises(SourceUnavailableError, match="LB236") as caught:
        await connect(KubernetesOptions(kubeconfig="/no/such/file"))
    assert caught.value.finding.why == "there is no file /no/such/file"
