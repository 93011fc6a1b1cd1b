"""Where operator overrides, marks and last-good decisions are kept.

Belongs here: state stores. Does not belong here: what the documents mean.
"""

from __future__ import annotations

from collections.abc import Mapping

STORES: Mapping[str, str] = {
    "file": "lbcontrol.stores.file:FileStore",
    "memory": "lbcontrol.stores.memory:MemoryStore",
}
"""Name of a store to its class."""
