"""What an operator may have meant by a name that nobody serves."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence

from lbcontrol.app.cli.completion import PATIENCE_SECONDS
from lbcontrol.app.cli.options import Common, Remote
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.findings import Finding

UNKNOWN = "LB310"


def with_guess(findings: Iterable[Finding], given: Common) -> list[Finding]:
    """Return the findings, those about an unknown service with the closest name that there is.

    The server is asked for its names, and left in peace when it does not answer at once.
    """
    found = list(findings)
    asked = getattr(given, "service", "")
    if not (asked and isinstance(given, Remote) and any(each.code == UNKNOWN for each in found)):
        return found
    close = difflib.get_close_matches(asked, _names(given), n=1)
    if not close:
        return found
    why = f'did you mean "{close[0]}"?'
    return [dataclasses.replace(each, why=why) if each.code == UNKNOWN else each for each in found]


def _names(given: Remote) -> Sequence[str]:
    from lbcontrol.app.cli.calls import server_of, services_of  # gRPC is slow to import

    try:
        with server_of(dataclasses.replace(given, timeout=PATIENCE_SECONDS)) as server:
            return [name for each in services_of(server) for name in (each.name, *each.aliases)]
    except LbControlError:
        return []
