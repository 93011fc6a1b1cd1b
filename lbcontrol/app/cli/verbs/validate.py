"""``validate`` and ``schema``: files without a server."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lbcontrol.app.cli import words
from lbcontrol.app.cli.choices import Document, Report
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.options import Schema, Validate
from lbcontrol.app.cli.outcomes import total
from lbcontrol.app.cli.screen import document_text, envelope
from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import ServiceSnapshot

SERVER_KIND = re.compile(r"""^kind:\s*["']?Server["']?\s*(#.*)?$""", re.MULTILINE)
"""How a server file says what it is; every other file is a source's."""
HEAD_BYTES = 65_536
"""Of a file, searched for its kind."""


def validate(options: Validate) -> int:
    """Print every finding of every file; 4 when one of them is an error."""
    server_files = [path for path in options.paths if _is_server_file(Path(path))]
    others = [path for path in options.paths if path not in server_files]
    findings = [finding for path in server_files for finding in _server_findings(path)]
    services: Sequence[ServiceSnapshot] = ()
    if others:
        found, services = importlib.import_module("lbcontrol.sources.validate").validate(others)
        findings += found
    _print(findings, options.output)
    if any(finding.severity == Severity.ERROR for finding in findings):
        return Exit.FINDINGS
    if options.output is Report.TABLE:
        print(_well(len(server_files), services))
    return Exit.DONE


def schema(options: Schema) -> int:
    """Print the JSON Schema of services and policies."""
    found = importlib.import_module("lbcontrol.sources.documents.schema").json_schema()
    print(document_text(found, json_form=options.output is Document.JSON))
    return Exit.DONE


def _is_server_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return SERVER_KIND.search(file.read(HEAD_BYTES).decode(errors="replace")) is not None
    except OSError:
        return False


def _server_findings(path: str) -> Sequence[Finding]:
    try:
        config = importlib.import_module("lbcontrol.app.config").load(path, sources_path=None, overrides={})
    except ConfigError as error:
        return error.findings
    tried = importlib.import_module("lbcontrol.transport.tls.material").tried
    return [finding for files in config.tls.every() for finding in tried(files, wall=time.time())]


def _print(findings: Sequence[Finding], form: Report) -> None:
    if form in (Report.JSON, Report.YAML):
        document = envelope("FindingList", [asdict(finding) for finding in findings])
        print(document_text(document, json_form=form is Report.JSON))
    elif findings:
        print(*findings, total(findings), sep="\n")


def _well(server_files: int, services: Sequence[ServiceSnapshot]) -> str:
    endpoints = sum(len(each.endpoints) for each in services)
    parts = [words.count(server_files, "server file")] if server_files else []
    if services or not server_files:
        parts += [words.count(len(services), "service"), words.count(endpoints, "endpoint")]
    return f"{', '.join(parts)}: ok"
