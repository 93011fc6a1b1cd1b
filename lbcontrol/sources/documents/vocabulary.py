"""Building blocks of the document models: names, numbers, durations, addresses, and keys that have no effect yet."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, Strict, WithJsonSchema
from pydantic.alias_generators import to_camel

from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address
from lbcontrol.model.services import MAX_NAME_BYTES
from lbcontrol.model.text import stray_in
from lbcontrol.sources.documents.refusals import RefusalError, quoted, shown

DURATION_PATTERN = r"([0-9]{1,5}(h|m|s|ms)){1,4}"
"""Durations as the Gateway API writes them (GEP-2257)."""
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
"""Seconds of each unit."""
MAX_DURATION = 365 * 86_400.0
"""Longest duration, in seconds: a year."""
MAX_TIMESTAMP = 253_402_300_799.0
"""Last second of the year 9999."""
HEADER_PATTERN = r"[a-z0-9_.\-]+"
"""Names of gRPC metadata (PROTOCOL-HTTP2.md, Custom-Metadata)."""

_PART = re.compile(r"([0-9]{1,5})(h|ms|m|s)")
_DURATION = re.compile(DURATION_PATTERN)
_HEADER = re.compile(HEADER_PATTERN)
_BARE = re.compile(r"[0-9]{1,5}")


class Part(BaseModel):
    """A mapping of the vocabulary: camelCase keys, unknown ones refused, each described by its docstring."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, use_attribute_docstrings=True)


def _name(text: str) -> str:
    size = len(text.encode("utf-8", "replace"))
    if not 1 <= size <= MAX_NAME_BYTES:
        why = f"a name has 1 to {MAX_NAME_BYTES} bytes"
        raise RefusalError("LB120", f"a name of {size} bytes", why=why, do="choose another name")
    return _clean(text)


def _clean(text: str) -> str:
    if len(text.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise RefusalError("LB120", f"{quoted(text)} is too long", why=f"the limit is {MAX_NAME_BYTES} bytes")
    stray = stray_in(text)
    if stray is not None:
        what = f"{quoted(text)} contains the control character {stray}"
        raise RefusalError("LB120", what, do="remove it")
    return text


def _no_slash(text: str) -> str:
    if "/" in text:
        why = "the slash stands between namespace and name"
        raise RefusalError("LB120", f"{quoted(text)} contains a slash", why=why, do="choose another name")
    return text


def _address(value: object) -> Address:
    if not isinstance(value, str):
        raise RefusalError(
            "LB106", f"address is {shown(value)}", why="wanted: text", do='write it as "IP:PORT" in quotes'
        )
    try:
        return Address.parse_dialable(value)
    except ValueError as error:
        clipped = str(error).replace(f'"{value}"', quoted(value))
        fault, _, rest = clipped.partition("; ")
        why, _, do = ("", "", rest) if rest.startswith("write") else rest.partition(": ")
        raise RefusalError("LB115", fault, why=why, do=do) from error


def _duration(value: object) -> float:
    why = "a duration is text of whole numbers with units h, m, s, ms: 30s, 1m30s, 250ms"
    if not (isinstance(value, str) and _DURATION.fullmatch(value)):
        bare = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        do = f"write {bare}s" if _BARE.fullmatch(bare) else "write it like 30s"
        raise RefusalError("LB119", f"{shown(value)} is not a duration", why=why, do=do)
    seconds = sum(int(number) * UNITS[unit] for number, unit in _PART.findall(value))
    if not 0 < seconds <= MAX_DURATION:
        why = "a duration is above 0 and at most 365 days"
        raise RefusalError("LB119", f"{quoted(value)} is out of range", why=why, do="leave the key out for no limit")
    return round(seconds, 3)


def _timestamp(value: object) -> float:
    why = "a time is text like 2026-11-24T10:00:00Z"
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 0 <= moment.timestamp() <= MAX_TIMESTAMP:
        raise RefusalError(
            "LB119", f"{shown(value)} is not a time", why=why, do="write it with its zone, or leave it out"
        )
    return moment.timestamp()


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text) or text.endswith("-bin"):
        why = "header names are lower-case letters, digits, - _ . and do not end in -bin"
        raise RefusalError("LB123", f"{quoted(text)} is not a header that can be hashed", why=why, do="write x-user")
    return text


def _percent(number: float) -> float:
    if round(number, 4) != number:
        why = "clients are told millionths: at most 4 decimals"
        raise RefusalError("LB116", f"percent {number!r} is too fine", why=why, do=f"write {round(number, 4):g}")
    return number


def _not_yet(value: object) -> None:
    raise RefusalError("LB107", shown(value))


Name = Annotated[str, Strict(), Field(min_length=1, max_length=MAX_NAME_BYTES), AfterValidator(_name)]
"""A name that clients or people use."""
Label = Annotated[str, Strict(), Field(max_length=MAX_NAME_BYTES), AfterValidator(_clean)]
"""Like a name, but may be empty."""
DocumentName = Annotated[Name, AfterValidator(_no_slash)]
"""Name of a document."""
Namespace = Annotated[Label, AfterValidator(_no_slash)]
"""Namespace of a document; may be empty."""
Weight = Annotated[int, Strict(), Field(ge=1, le=MAX_WEIGHT_SUM)]
"""A share of at least 1."""
Share = Annotated[int, Strict(), Field(ge=0, le=MAX_WEIGHT_SUM)]
"""A share that may be 0."""
Percent = Annotated[float, Strict(), Field(ge=0, le=100, allow_inf_nan=False), AfterValidator(_percent)]
"""0 to 100."""
StrictText = Annotated[str, Strict()]
"""Any text."""
HeaderName = Annotated[
    str,
    Strict(),
    AfterValidator(_header),
    Field(max_length=MAX_NAME_BYTES, json_schema_extra={"pattern": f"^{HEADER_PATTERN}$"}),
]
"""A request header."""
AddressText = Annotated[Address, PlainValidator(_address), WithJsonSchema({"type": "string"})]
"""IP address and port."""
Duration = Annotated[
    float, PlainValidator(_duration), WithJsonSchema({"type": "string", "pattern": f"^{DURATION_PATTERN}$"})
]
"""Seconds, written as text with units."""
Timestamp = Annotated[float, PlainValidator(_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})]
"""Unix seconds, written as RFC 3339."""
STATUS = "x-status"
"""Key of the JSON schema that says whether a key does something."""
NOT_YET = "not supported yet"
"""Its only value: writing the key is an error."""
NotYet = Annotated[None, PlainValidator(_not_yet), WithJsonSchema({"not": {}, STATUS: NOT_YET})]
"""A key of the vocabulary without an effect in this version: writing it is an error."""
