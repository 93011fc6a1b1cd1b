"""A store that forgets: what runs without a state directory."""

from __future__ import annotations

from collections.abc import Mapping


class MemoryStore:
    """Implements ``ports.StateStore`` for one run of the process."""

    durable = False
    """Everything is lost on restart, and operators are told so."""
    owned = True
    """Nobody else can have it."""

    def __init__(self) -> None:
        """Begin empty."""
        self._documents: dict[str, Mapping[str, object]] = {}

    def load(self) -> Mapping[str, Mapping[str, object]]:
        """Return all documents by key."""
        return dict(self._documents)

    async def put(self, documents: Mapping[str, Mapping[str, object] | None]) -> None:
        """Keep (or with None forget) documents."""
        for key, document in documents.items():
            if document is None:
                self._documents.pop(key, None)
            else:
                self._documents[key] = document
