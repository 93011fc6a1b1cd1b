"""One file to documents, or to every reason why not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.sources.documents.checks import file_problems, policy_problems, service_problems
from lbcontrol.sources.documents.convert import policy_entry, service_entries
from lbcontrol.sources.documents.documents import Documents, PolicyEntry, ServiceEntry
from lbcontrol.sources.documents.messages import Model, checked
from lbcontrol.sources.documents.policies import API_VERSION, ServicePolicyDocument
from lbcontrol.sources.documents.refusals import MAX_FINDINGS, Problem, RefusalError, accepted, findings_of, shown
from lbcontrol.sources.documents.services import ServicesDocument
from lbcontrol.sources.documents.tree import UNUSABLE, Fields, label_of, line_of, read_forest
from lbcontrol.sources.documents.vocabulary import NOT_YET

KIND = "ServicePolicy"
"""The kind that is read."""
LATER_KINDS = ("GRPCRoute", "RoutePolicy")
"""Kinds of the vocabulary that this version does not follow."""


def read_documents(content: bytes | str, *, path: str) -> Documents:
    """Read all documents of a file.

    Args:
        content: The file, at most 1 MB.
        path: How people know the file; stands in findings, its last part in origins.

    Raises:
        ConfigError: something is wrong; the findings are all that was found.
    """
    reader = _Reader(path)
    forest = read_forest(content)
    reader.problems += forest.problems
    for root in forest.roots:
        reader.read(root)
    reader.problems += file_problems(forest.roots)
    if reader.problems:
        raise ConfigError(*findings_of(reader.problems, path=path))
    warnings: tuple[Finding, ...] = ()
    if not forest.roots:
        what = "the file is empty"
        warnings = (Finding("LB113", what, path, effect="it means nothing", severity=Severity.WARNING),)
    mark = mark_of(content)
    return Documents(path, tuple(reader.services), tuple(reader.policies), mark, warnings, not forest.roots)


def mark_of(content: bytes | str) -> str:
    """Return the digest of a file by which people and tests know it again."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:12]


def read_policy(document: Mapping[str, object], *, place: str) -> PolicyEntry:
    """Read one ServicePolicy that comes as values instead of text; what is accepted is what a file may say.

    Args:
        document: The document, in plain dicts and lists.
        place: What it is called in findings, instead of file and line.

    Raises:
        ConfigError: something is wrong; the findings are all that was found.
    """
    read, problems = checked(ServicePolicyDocument, document)
    problems += policy_problems(document)
    if read is None or problems:
        raise ConfigError(*(each.finding_at(place) for each in problems[:MAX_FINDINGS]))
    return policy_entry(read, line=1)


@dataclass(slots=True)
class _Reader:
    """Collects what the documents of one file say and what is wrong with them."""

    path: str
    services: list[ServiceEntry] = field(default_factory=list)
    policies: list[PolicyEntry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read(self, root: object) -> None:
        """Take one document."""
        if root is UNUSABLE:
            return
        if not isinstance(root, Fields):
            do = "begin with services: or with apiVersion: and kind:"
            self._refuse(
                root, "", RefusalError("LB106", f"the document is {shown(root)}", why="wanted: a mapping", do=do)
            )
        elif "kind" in root or "apiVersion" in root:
            self._read_kind(root)
        elif "services" in root:
            document = self._checked(ServicesDocument, root)
            self.problems += service_problems(root)
            if document is not None:
                self.services += service_entries(document, root, path=self.path)
        else:
            self._refuse_shape(root)

    def _read_kind(self, root: Fields) -> None:
        kind = root.get("kind")
        if kind == KIND:
            document = self._checked(ServicePolicyDocument, root)
            self.problems += policy_problems(root)
            if document is not None:
                self.policies.append(policy_entry(document, line=root.line))
        elif kind is UNUSABLE:
            return
        elif kind in LATER_KINDS:
            why = f"this version reads services: and kind: {KIND}"
            self._refuse(root, "kind", RefusalError("LB107", f"kind {kind} is {NOT_YET}", why=why, do="take it out"))
        elif kind is None:
            self._refuse(root, "kind", RefusalError("LB105", 'the key "kind" is missing', why=accepted([KIND])))
        else:
            do = "give the server's own configuration to lbcontrol serve --config" if kind == "Server" else ""
            self._refuse(
                root, "kind", RefusalError("LB114", f"unknown kind {shown(kind)}", why=accepted([KIND], kind), do=do)
            )

    def _refuse_shape(self, root: Fields) -> None:
        key = next(iter(root), "")
        what = (
            f"the document has neither services: nor kind:, but {shown(key)}"
            if key
            else "the document is an empty mapping"
        )
        why = accepted(["services", f"apiVersion: {API_VERSION} with kind: {KIND}"], key)
        self._refuse(root, key, RefusalError("LB114", what, why=why))

    def _refuse(self, root: object, key: str, refusal: RefusalError) -> None:
        loc = (key,) if key else ()
        self.problems.append(Problem(line_of(root, loc), label_of(root, loc), refusal))

    def _checked(self, model: type[Model], root: Fields) -> Model | None:
        document, problems = checked(model, root)
        self.problems += problems
        return document
