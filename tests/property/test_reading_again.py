"""A file that is read again says the same, and is refused for the same reasons, as if it were read first."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.sources.documents import NOTHING, Documents, Known, read_again, read_documents

PATH = "d/f.yaml"
ADDRESSES = st.integers(1, 200).map("10.0.0.{}:80".format)
RESTS = ["", "", ", weight: 3", ", weight: 7", ', locality: {zone: "a"}', ", health: Draining", ",\n   weight: 2"]
ODD_RESTS = [
    ", weight: 4294967295",
    ", priority: 1",
    ", priority: 0",
    ", health: Gone",
    ", locality: {zone: 'b\n # c'}",
]
ODD_LINES = [
    "",
    "# a comment",
    "      # - a comment",
    "---",
    "...",
    "services:",
    "    endpoints:",
    "  endpoints:",
    "  - ",
]
ODD_LINES += [
    '    aliases: [x] # "}}',
    "    aliases:",
    "    name: z",
    "      - foo",
    "    policy: {locality: {prefer: Zone}}",
]
ODD_LINES += [
    '      - {address: "10.0.0.1:80", locality: {zone: "a',
    '      - b"}}',
    '    b"}}',
    "'",
    '"',
    "      -",
    "  -",
]
ODD_LINES += [
    "      - address: 10.0.0.1:80",
    "        weight: 2",
    "        weight: |+",
    "          2",
    "    rules:",
    "\t",
]
ODD_LINES += [
    "      - &a {address: 10.0.0.2:80}",
    "      - *a",
    "      - !t 1",
    "%YAML 1.1",
    "  - name: |+",
    "      a",
    "}",
]
ODD_LINES += [
    "      - backendRefs: [{name: s1}]",
    "  - name: s1",
    "  - {name: s2}",
    "\ufeff",
    "\x85",
    "a: \u2028b",
    "c\r",
]
ODD_LINES += [
    "      - {",
    "      ]",
    "    endpoints: [",
    "? services",
    ": x",
    "    endpoints: []",
    "    endpoints: # few",
    "\x07",
]
POLICY = """---
apiVersion: lbcontrol.io/v1alpha1
kind: ServicePolicy
metadata: {{name: p}}
spec: {{targetRefs: [{{name: {}}}], locality: {{prefer: Zone}}}}
"""


@st.composite
def endpoints(draw: st.DrawFn, indent: str, rests: Sequence[str] = RESTS) -> str:
    """Return an item of ``endpoints:``, on one line or several."""
    address, rest = draw(ADDRESSES), draw(st.sampled_from(rests))
    quote = draw(st.sampled_from("\"'" if (is_flow := draw(st.booleans())) else ["", '"', "'"]))
    if is_flow:
        return f"{indent}- {{address: {quote}{address}{quote}{rest}}}"
    lines = [
        f"{indent}- address: {quote}{address}{quote}",
        *(f"{indent}  {each.strip()}" for each in rest.split(",")[1:]),
    ]
    return "\n".join(lines)


@st.composite
def services(draw: st.DrawFn, number: int, lead: str, deeper: str) -> str:
    """Return an item of ``services:``, with keys in any order."""
    items = "\n".join(draw(st.lists(endpoints(deeper), min_size=1, max_size=5)))
    keys = [f"name: s{number}", f"endpoints:\n{items}"]
    keys += draw(st.lists(st.sampled_from([f"aliases: [a{number}]", f"aliases:\n{deeper}- b{number}"]), max_size=1))
    policies = ["policy: {locality: {prefer: Zone}}", "policy: {timeout: 1s}", "rules: [{backendRefs: [{name: s1}]}]"]
    keys += draw(st.lists(st.sampled_from(policies), max_size=1))
    return f"{lead}- " + f"\n{lead}  ".join(draw(st.permutations(keys)))


@st.composite
def files(draw: st.DrawFn) -> str:
    """Return a file that is right, or nearly."""
    lead = draw(st.sampled_from(["", "  ", "  "]))
    deeper = lead + draw(st.sampled_from(["  ", "    "]))
    each = [draw(services(number, lead, deeper)) for number in range(draw(st.integers(1, 4)))]
    tail = draw(st.sampled_from(["", "", "\n# end\n", "...\n", POLICY.format("s1"), POLICY.format("other")]))
    return "\n".join([draw(st.sampled_from(["services:", "---\nservices: # all", "# few\nservices:"])), *each, tail])


@st.composite
def edited(draw: st.DrawFn, text: str) -> str:
    """Return a file with some lines taken out, put in, copied or changed."""
    lines = text.split("\n")
    at, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    count = draw(st.integers(0, 4))
    fresh = st.sampled_from(ODD_LINES) | endpoints("      ", RESTS + ODD_RESTS) | endpoints("    ", RESTS + ODD_RESTS)
    more = st.text(st.sampled_from("ab:-[]{}&*!|>'\"%#?, 01"), max_size=8)
    lines[at : at + count] = draw(
        st.sampled_from([[], lines[other : other + count], lines[at : at + 1] * 2])
        | st.lists(fresh, max_size=4)
        | st.builds("{}{}".format, st.just(lines[at]), more).map(lambda each: [each])
    )
    return "\n".join(lines)


def outcome(content: str) -> Documents | Sequence[Finding]:
    """Read a file for the first time."""
    try:
        return read_documents(content, path=PATH)
    except ConfigError as error:
        return error.findings


def outcome_again(content: str, known: Known) -> tuple[Documents | Sequence[Finding], Known]:
    """Read a file as the file source does; what was known before stays known when it is wrong."""
    try:
        return read_again(content, path=PATH, known=known)
    except ConfigError as error:
        return error.findings, known


@settings(max_examples=300, deadline=None)
@given(files(), st.data())
def test_file_says_the_same_with_and_without_what_was_known(text: str, data: st.DataObject) -> None:
    """Whatever edits lead to a file, it is read or refused like one that was never seen before."""
    known = NOTHING
    contents = [text]
    for _ in range(data.draw(st.integers(1, 8))):
        contents.append(data.draw(edited(data.draw(st.sampled_from(contents)))))
    for content in (*contents, *reversed(contents)):
        said, known = outcome_again(content, known)
        assert said == outcome(content), content
