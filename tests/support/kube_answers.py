"""An API server that says what a test has written down, for readers that ask by an ``Answer``."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any


class _Content:
    """The body of an answer: pieces, after which it ends, breaks or hangs."""

    def __init__(self, pieces: Sequence[bytes | BaseException | None]) -> None:
        self._pieces = deque(pieces)

    async def readline(self) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.popleft()
        if isinstance(piece, BaseException):
            raise piece
        if piece is None:
            await asyncio.Event().wait()
        return piece or b""

    async def iter_any(self) -> AsyncIterator[bytes]:
        while piece := await self.readline():
            yield piece


class Response:
    """What the client gives for an answer."""

    def __init__(self, *pieces: bytes | BaseException | None, status: int = 200) -> None:
        """Say these pieces; None hangs until cancelled, an exception is raised."""
        self.status = status
        self.content = _Content(pieces)
        self.closed = False

    def close(self) -> None:
        """End the connection."""
        self.closed = True


def item(name: str, version: str = "1") -> dict[str, Any]:
    """Return an object of which only name and version count."""
    return {"metadata": {"namespace": "shop", "name": name, "resourceVersion": version}}


def page(*names: str, version: str = "10", token: str = "") -> Response:
    """Return a page of a list."""
    metadata = {"resourceVersion": version, "continue": token}
    return Response(json.dumps({"metadata": metadata, "items": [item(name) for name in names]}).encode())


def line(kind: str, name: str, version: str) -> bytes:
    """Return one line of a watch."""
    return json.dumps({"type": kind, "object": item(name, version)}).encode() + b"\n"


def error_line(code: int) -> bytes:
    """Return the line by which a watch ends for a reason."""
    status = {"kind": "Status", "code": code, "message": "no"}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


class Script:
    """Answers in order; what is asked after the last hangs."""

    def __init__(self, *answers: Response | BaseException) -> None:
        """Nothing was asked yet."""
        self.asked: list[dict[str, str]] = []
        """The query of each request."""
        self._answers = deque(answers)
        self.is_over = asyncio.Event()
        """Set when something was asked after the last answer."""

    async def ask(self, _times: object, **query: str) -> Any:
        """Answer a request."""
        self.asked.append(query)
        if not self._answers:
            self.is_over.set()
            await asyncio.Event().wait()
        answer = self._answers.popleft()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def kinds(self) -> list[str]:
        """Return "list" or "watch VERSION" of each request."""
        return [f"watch {each['resourceVersion']}" if "watch" in each else "list" for each in self.asked]
