"""Limits: each has a key and a row in the reference, each refusal a reason that is counted from the start."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pydantic.alias_generators import to_camel

import lbcontrol
from lbcontrol.app.config_document import LimitsDocument
from lbcontrol.frontends.refusals import REASONS as BY_CODE
from lbcontrol.frontends.xds.limits import REASONS as BY_XDS_CODE
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.rejections import FULL, REASONS
from lbcontrol.sources.file import REASONS as BY_FILE_CODE
from scripts.limits import SECTIONS, page, told

ROOT = Path(lbcontrol.__file__).parent
GIVEN = re.compile(
    r"""ConnectionFaultError\(Code\.\w+, "(\w+)"\)|_calm\("(\w+)"\)|refused\("(\w+)"\)|reason="(\w+)\""""
    r"""|return "(\w+)"$""",
    re.MULTILINE,
)
"""How the transport and its protocol machine write a reason."""


def given(*folders: str) -> set[str]:
    """Return the reasons that the code in these folders writes."""
    files = [file for folder in folders for file in (ROOT / folder).glob("*.py")]
    return {word for file in files for found in GIVEN.findall(file.read_text()) for word in found if word}


def test_every_key_has_a_row() -> None:
    """No key is missing on the page, and none stands twice for one layer."""
    text = page("")
    assert [key for key in LimitsDocument.model_fields if f"`limits.{to_camel(key)}`" not in text] == []
    rows = Counter((row.layer, key) for _, rows in SECTIONS for row in rows for key in row.keys)
    assert max(rows.values()) == 1


def test_every_reason_is_explained() -> None:
    """The page and the series have the same reasons."""
    assert told() == {layer: set(reasons) for layer, reasons in REASONS.items()}


def test_every_reason_the_code_gives_is_in_the_closed_set() -> None:
    """Those of the transport by its source, those of front ends and files by their tables."""
    wire = given("http2", "transport", "transport/http2") - {"reset"}  # The peer's own; nothing was refused.
    assert wire - set(REASONS["transport"]) == set()
    assert set(BY_CODE.values()) <= set(REASONS["native"]) | set(REASONS["admin"])
    assert set(BY_XDS_CODE.values()) <= set(REASONS["xds"])
    assert set(BY_FILE_CODE.values()) <= set(REASONS["file"])


def test_every_series_is_there_from_the_start() -> None:
    """Alerts on an increase see the first refusal."""
    text = Metrics().render().decode()
    for layer, reasons in REASONS.items():
        for reason in reasons:
            assert f'lbcontrol_rejected_total{{layer="{layer}",reason="{reason}"}} 0.0' in text
    assert all(f'lbcontrol_streams_shed_total{{reason="{reason}"}} 0.0' in text for reason in FULL)
