"""YAML as we read it: which scalars have which type, and what is refused before anything has a meaning."""

from __future__ import annotations

import pytest

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.sources.documents import Documents, read_documents
from lbcontrol.sources.documents.refusals import REFUSED_EFFECT
from lbcontrol.sources.documents.scalars import resolve
from lbcontrol.sources.documents.tree import MAX_BYTES, Fields, line_of, read_forest

TEXT = ["no", "No", "on", "off", "yes", "y", "012", "-012", "1:20", "0o17", "0b1", "1_000", "2026-11-24", "1.2.3", "<<"]
TEXT += ["=", "1e", "+", "-", ".", "0x", "0xg", "nulll", "12ab", "9" * 500, "-.nan"]
VALUES: dict[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "NULL": None,
    "true": True,
    "TRUE": True,
    "false": False,
    "0": 0,
    "-0": 0,
    "12": 12,
    "+12": 12,
    "-7": -7,
    "0x1f": 31,
    "1.50": 1.5,
    ".5": 0.5,
    "1.": 1.0,
    "1e3": 1000.0,
    "-1.5E-1": -0.15,
    ".inf": float("inf"),
    "-.INF": float("-inf"),
}


def refused(content: str | bytes) -> tuple[Finding, ...]:
    """Return the findings about a wrong file."""
    with pytest.raises(ConfigError) as caught:
        read_documents(content, path="d/f.yaml")
    return tuple(caught.value.findings)


@pytest.mark.parametrize("text", TEXT)
def test_scalar_stays_text_where_readers_of_yaml_disagree(text: str) -> None:
    """What YAML 1.1 and 1.2 read differently, and what neither knows, is text."""
    assert resolve(text) == text


@pytest.mark.parametrize("text", VALUES)
def test_scalar_has_the_type_of_yaml_1_2(text: str) -> None:
    """Null, booleans and numbers of the core schema are resolved."""
    value = resolve(text)
    assert value == VALUES[text]
    assert type(value) is type(VALUES[text])


def test_scalar_can_be_not_a_number() -> None:
    """``.nan`` is a float, and never equal to anything."""
    value = resolve(".nan")
    assert value != value  # noqa: PLR0124  (that is what nan is)


def test_quoted_scalar_is_always_text() -> None:
    """Quotes of either kind and block scalars keep their text."""
    forest = read_forest('a: \'12\'\nb: "true"\nc: |\n  7\nd: ""\n')
    assert forest.roots == [{"a": "12", "b": "true", "c": "7\n", "d": ""}]


def test_lines_of_keys_and_items_are_known() -> None:
    """Each key and each item of a list knows its line; what is not there has the line of what holds it."""
    (root,) = read_forest("# head\na:\n  - x\n  - b: 1\n    c: [2,\n     3]\n").roots
    assert isinstance(root, Fields)
    places = [(), ("a",), ("a", 1), ("a", 1, "c"), ("a", 1, "c", 1), ("a", 1, "gone")]
    assert [line_of(root, place) for place in places] == [2, 2, 4, 5, 6, 4]


WRONG: dict[str, tuple[str | bytes, str, str, str]] = {
    "duplicate key": ("services: []\nservices: []\n", "LB102", 'the key "services" stands twice', "2, services"),
    "duplicate inside": (
        "services: [{name: g, endpoints: [{address: '[::1]:1', address: '[::1]:2'}]}]",
        "LB102",
        'the key "address" stands twice',
        "1, g.endpoints[0].address",
    ),
    "tab": ("services:\n\t- name: a\n", "LB108", "a tab in the indentation", "2"),
    "tab after spaces": ("a:\n  b:\n  \tc: 1", "LB108", "a tab in the indentation", "3"),
    "unclosed": ("services: [\n", "LB101", "this is not YAML", "2"),
    "two colons": ("services: a: b", "LB101", "this is not YAML", "1"),
    "bad escape": ('services: "\\q"', "LB101", "this is not YAML", "1"),
    "later YAML": ("%YAML 3.0\n---\nservices: []", "LB101", "this is not YAML", "1"),
    "anchor": ("services: &a []", "LB109", "the anchor &a", "1, services"),
    "tag": ("services: !!python/tuple []", "LB109", "the tag tag:yaml.org,2002:python/tuple", "1, services"),
    "local tag": ("services: !x []", "LB109", "the tag !x", "1, services"),
    "boolean of YAML 1.1": (
        "services: [{name: g, endpoints: [{address: '[::1]:1', locality: {zone: no}}]}]",
        "LB106",
        "no without quotes is text to some readers of YAML and a boolean to others",
        "1, g.endpoints[0].locality.zone",
    ),
    "boolean of YAML 1.1 in a list": (
        "services: [On]",
        "LB106",
        "On without quotes is text to some readers of YAML and a boolean to others",
        "1, services[0]",
    ),
    "null": ("services:\n", "LB106", "there is no value here", "1, services"),
    "list as document": ("- a", "LB106", "the document is a list", "1"),
    "text as document": ("hello", "LB106", 'the document is "hello"', "1"),
    "long text": ("h" * 200, "LB106", f'the document is "{"h" * 79}…"', "1"),
    "NUL": ("a: 1\nb: \x00", "LB112", "the file contains the character U+0000", "2"),
    "escape": ("\x1b[31m", "LB112", "the file contains the character U+001B", "1"),
    "latin-1": (b"a: \xe9\n", "LB112", "byte 0xe9 at offset 3 is not UTF-8", "1"),
    "UTF-16": ("a: 1".encode("utf-16"), "LB112", "byte 0xff at offset 0 is not UTF-8", "1"),
    "lone surrogate": ("a: \ud800", "LB112", "byte 0xed at offset 3 is not UTF-8", "1"),
    "too long": ("#" * (MAX_BYTES + 1), "LB110", "the file has 1000001 bytes", "1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_yaml_is_refused_with_its_place(case: str) -> None:
    """What is not YAML as we read it is told with code, text, line and key, and the file is ignored whole."""
    content, code, what, at = WRONG[case]
    (finding,) = refused(content)
    assert (finding.code, finding.what, finding.at) == (code, what, f"d/f.yaml:{at}")
    assert finding.effect == REFUSED_EFFECT
    assert finding.severity is Severity.ERROR
    assert finding.do


def test_alias_bomb_is_refused_without_growing() -> None:
    """Nine levels of ten aliases are 90 refused values, not a thousand million."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    findings = refused("\n".join(lines))
    assert len(findings) == 101
    assert {finding.code for finding in findings[:-1]} == {"LB109", "LB114"}
    assert findings[-1].what == "1 more problems"


def test_alias_beside_other_errors_is_told_once() -> None:
    """Nothing more is said about a value that was refused already; everything else is."""
    findings = refused("services:\n- {name: &n a, endpoints: *n, aliases: 7}\n")
    assert [finding.what for finding in findings] == ["the anchor &n", "the alias *n", "aliases is 7"]


@pytest.mark.parametrize("content", ["!x a", "kind: !x ServicePolicy", "&a [b]"])
def test_refused_document_is_told_once(content: str) -> None:
    """When the document or its kind is refused already, nothing is said of what it should have been."""
    findings = refused(content)
    assert {finding.code for finding in findings[:1]} == {"LB109"}
    assert not any("object" in finding.what for finding in findings)


def test_telling_stops_when_too_much_is_wrong() -> None:
    """A file full of errors is read no further than a thousand of them, and a hundred are told."""
    findings = refused("a: [" + "*x, " * 5000 + "]")
    assert len(findings) == 101
    assert findings[-1].what.endswith("more problems")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth_is_limited(opening: str) -> None:
    """Thirty-two levels are read; one more is refused before the parser goes deeper."""
    findings = refused(opening * 100_000)
    assert [(finding.code, finding.why) for finding in findings] == [("LB111", "the limit is 32 levels")]
    assert read_forest("[" * 32 + "]" * 32).problems == []


def test_key_that_is_not_text_is_refused() -> None:
    """A mapping or list as key is refused; numbers and words are text when they are keys."""
    findings = refused("? [a]\n: b\nservices: []\n")
    assert [(finding.code, finding.what) for finding in findings] == [("LB106", "a key that is not text")]
    assert read_forest("on: 1\n7: 2\ntrue: 3").roots == [{"on": 1, "7": 2, "true": 3}]


def test_key_with_an_anchor_is_refused_once() -> None:
    """An anchor on a key, or an alias in its place, is told, and the value is dropped."""
    forest = read_forest("&a k: 1\n*a : 2\nb: 3\n")
    assert [problem.refusal.what for problem in forest.problems] == ["the anchor &a", "the alias *a"]
    assert forest.roots == [{"b": 3}]


@pytest.mark.parametrize("content", ["", "\n", "# only words\n", "---\n---\n", "null", b"\xef\xbb\xbf"])
def test_empty_file_means_nothing_and_says_so(content: str | bytes) -> None:
    """An empty file is no error, but somebody may have expected more of it."""
    documents = read_documents(content, path="d/f.yaml")
    (finding,) = documents.findings
    assert (documents.services, documents.policies) == ((), ())
    assert str(finding).splitlines() == [
        "warning LB113: the file is empty",
        "  at:     d/f.yaml",
        "  effect: it means nothing",
    ]


def test_several_documents_are_read_in_turn() -> None:
    """A file may hold several documents, empty ones among them, and begin with a byte order mark."""
    documents = read_documents("\ufeff---\nservices: [{name: a}]\n---\n---\nservices: [{name: b}]\n", path="f")
    assert isinstance(documents, Documents)
    assert [(service.name, service.origin) for service in documents.services] == [("a", "f:2"), ("b", "f:5")]


def test_errors_before_a_syntax_error_are_told_too() -> None:
    """Documents that were read before the parser gave up are checked."""
    findings = refused("services: [{nam: a}]\n---\n[\n")
    assert [finding.code for finding in findings] == ["LB105", "LB104", "LB101"]
