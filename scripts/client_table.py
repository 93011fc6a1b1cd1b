"""Writes docs/reference/clients.md from the table of clients; with --check only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from lbcontrol.engine.compile.capabilities import KINDS, Capabilities, capabilities_for
from lbcontrol.engine.compile.client_table import TABLE, Row, Version
from lbcontrol.model.clients import ClientProfile

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "clients.md"
HEAD = """# Clients and what they are told

Made by `scripts/client_table.py` from the table in `lbcontrol/engine/compile/client_table.py`; do not edit it here.

A client says who it is by `node.user_agent_name` and `node.user_agent_version`. From its rows below lbcontrol decides
how weights reach it. Node metadata `lbcontrol.carrier` (`locality`, `real` or `endpoint`) overrides the carrier.

| carrier | what the client gets |
| --- | --- |
| locality | one locality per endpoint, with the endpoint's weight; the sub-zone is the address |
| classes | what `locality` becomes above 500 endpoints (and stays down to 400): one locality per weight class |
| real | the localities of the endpoints, each with the sum of its weights; for client policies other than RoundRobin |
| endpoint | the localities of the endpoints, weights on the endpoints |
| native | as `endpoint`, by the native API |
"""


def _version(version: Version) -> str:
    return ".".join(map(str, version))


def _versions(row: Row) -> str:
    if row.until is not None:
        return f"{_version(row.since) or '0'} to before {_version(row.until)}"
    return f"from {_version(row.since)}" if row.since else "all"


def _value(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _summary(one: Capabilities) -> str:
    policies = ", ".join(sorted(one.policies))
    return f"Carrier {one.carrier}; draining endpoints {one.drain}; client policies in the newest version: {policies}."


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for kind in KINDS:
        newest = capabilities_for(ClientProfile(kind=kind, version="9999.0"))
        parts.append(f"## {kind}\n\n{_summary(newest)}\n")
        rows = [
            f"| {row.feature.replace('_', ' ')} | {_value(row.value)} | {_versions(row)} | {row.proof} |"
            for row in TABLE
            if row.kind == kind
        ]
        parts.append("\n".join(["| feature | value | versions | proof |", "| --- | --- | --- | --- |", *rows, ""]))
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; the exit code."""
    if "--check" in arguments:
        same = PAGE.exists() and PAGE.read_text() == page()
        print(f"clients: {PAGE.name} {'is up to date' if same else 'differs: run scripts/client_table.py'}")
        return 0 if same else 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
