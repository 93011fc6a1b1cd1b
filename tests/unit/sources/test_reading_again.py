"""Files that are read again: what is left out, what is put back, and what makes the whole be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbcontrol.model.errors import ConfigError
from lbcontrol.sources.documents import NOTHING, Documents, Known, again, read_again, read_documents
from lbcontrol.sources.documents.tree import MAX_BYTES
from lbcontrol.sources.file_scan import look
from lbcontrol.sources.file_state import FileState, next_state

PATH = "d/f.yaml"


def service(name: str, *lines: str, count: int = 3) -> str:
    """Return a service of ``count`` endpoints, and what stands below them."""
    number = sum(name.encode())
    ends = [f'      - {{address: "10.{number}.0.{each}:80", weight: {each}}}' for each in range(1, count + 1)]
    return "\n".join([f"  - name: {name}", "    endpoints:", *ends, *lines, ""])


@pytest.fixture
def texts_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is given to the ordinary reader."""
    texts: list[str] = []

    def noted(content: bytes | str, *, path: str) -> Documents:
        texts.append(content if isinstance(content, str) else content.decode())
        return read_documents(content, path=path)

    monkeypatch.setattr(again, "read_documents", noted)
    return texts


def known_of(text: str) -> Known:
    """Return what is known of a file after it was read."""
    return read_again(text, path=PATH, known=NOTHING)[1]


def after(before: str, text: str) -> Documents:
    """Read a file with what is known of the one before; the same must be said as without."""
    documents, _ = read_again(text, path=PATH, known=known_of(before))
    assert documents == read_documents(text, path=PATH)
    return documents


def endpoint_lines(text: str) -> list[int]:
    """Return how many endpoints stand in a text, line by line."""
    return [number for number, line in enumerate(text.split("\n"), 1) if "address" in line]


def test_only_the_endpoint_that_changed_and_the_first_are_read(texts_read: list[str]) -> None:
    """Of a service with a changed weight the other endpoints are left out, and the very same values put back."""
    text = "services:\n" + service("a", count=9).replace("name: a", 'name: "a"')
    before, known = read_again(text, path=PATH, known=NOTHING)
    now, _ = read_again(text.replace("weight: 5", "weight: 50"), path=PATH, known=known)
    assert [endpoint_lines(each) for each in texts_read] == [[*range(4, 13)], [4, 8]]
    assert [each.weight for each in now.services[0].endpoints] == [1, 2, 3, 4, 50, 6, 7, 8, 9]
    same = [one is other for one, other in zip(before.services[0].endpoints, now.services[0].endpoints, strict=True)]
    assert same == [False, True, True, True, False, True, True, True, True]


def test_services_that_did_not_change_are_not_read(texts_read: list[str]) -> None:
    """Of a file in which the second service changed only that one is read, and the first endpoint of all."""
    text = "services:\n" + service("a") + service("b") + service("c")
    changed = text.replace("10.98.0.2:80", "10.98.0.9:80")
    now = after(text, changed)
    assert endpoint_lines(texts_read[-1]) == [4, 9, 10]
    assert [each.name for each in now.services] == ["a", "b", "c"]


def test_services_move_with_all_their_lines(texts_read: list[str]) -> None:
    """A line more in one service moves those below it: origins follow, nothing of them is read."""
    below = service("b", "    policy: {timeout: 1s}") + service("c").replace("weight: 2", "priority: 1")
    now = after("services:\n" + service("a") + below, "services:\n" + service("a", count=4) + below)
    assert endpoint_lines(texts_read[-1]) == [4, 7]
    assert [each.origin for each in now.services] == ["f.yaml:2", "f.yaml:8", "f.yaml:14"]
    assert now.services[1].policy is not None
    assert now.services[1].policy.origin == "f.yaml:13"
    assert now.services[2].prioritised == (17,)
    assert [each.origin for each in now.services[2].endpoints] == ["f.yaml:16", "f.yaml:17", "f.yaml:18"]


def test_endpoints_move_and_keep_their_priorities() -> None:
    """Endpoints below a new line keep what they are, but for their lines."""
    text = "services:\n" + service("a").replace("weight: 3", "priority: 1")
    now = after(text, text.replace("    endpoints:", "    # few\n    endpoints:"))
    assert [each.origin for each in now.services[0].endpoints] == ["f.yaml:5", "f.yaml:6", "f.yaml:7"]
    assert now.services[0].prioritised == (7,)


def test_last_endpoint_is_read_when_another_key_follows(texts_read: list[str]) -> None:
    """What looks like the next key may be the rest of a text in quotes: that endpoint is never left out."""
    tail = ['      - {address: "10.0.0.1:80", locality: {zone: "q', '    aliases: [x] # "}}']
    text = "services:\n" + service("a", *tail)
    now = after(text, text.replace("weight: 2", "weight: 20"))
    assert now.services[0].aliases == ()
    assert endpoint_lines(texts_read[-1]) == [4, 5, 7]


def test_list_in_quotes_is_none() -> None:
    """What looks like a list of endpoints in a name in quotes teaches nothing, although an endpoint is on each line."""
    trap = [
        '      - c", endpoints: [{address: "10.0.0.1:80", locality: {zone: "z',
        '      - c"}}, {address: "10.0.0.2:80"}]}',
    ]
    text = "\n".join(["services:", "  - name: x", '  - {name: "a', "    endpoints:", *trap, ""])
    wrong = "\n".join(["services:", "  - name: a", "    endpoints:", '      - {address: "10.0.0.3:80"}', *trap[1:], ""])
    assert [len(each.endpoints) for each in read_documents(text, path=PATH).services] == [0, 2]
    with pytest.raises(ConfigError) as caught:
        read_again(wrong, path=PATH, known=known_of(text))
    assert [each.code for each in caught.value.findings] == ["LB101"]


def test_keys_in_the_order_of_the_alphabet_are_told_apart(texts_read: list[str]) -> None:
    """The usual form of files that programs write: endpoints first, lists no deeper than their keys."""
    ends = [f"  - address: 10.0.0.{each}:80\n    weight: {each}" for each in range(1, 6)]
    text = "\n".join(
        ["services:", "- endpoints:", *ends, "  name: a", "  rules:", "  - backendRefs:", "    - name: b", ""]
    )
    after(text, text.replace("weight: 2", "weight: 20"))
    assert endpoint_lines(texts_read[-1]) == [3, 5, 11]


CONTRADICTIONS = {
    "an address twice": ("10.97.0.2:80", "10.97.0.3:80"),
    "the same line twice": ('{address: "10.97.0.2:80", weight: 2}', '{address: "10.97.0.3:80", weight: 3}'),
    "a sum of weights": ("weight: 2", "weight: 4294967295"),
    "a name twice": ("name: b", "name: c"),
    "an alias twice": ("name: b", "name: b\n    aliases: [c]"),
    "a service twice": (service("b"), service("c")),
    "zone and priority": ("name: c", "name: c\n    policy: {locality: {prefer: Zone}}"),
    "a policy's zone and priority": ("name: q", "name: c"),
    "an error": ("weight: 2", "weight: two"),
    "no YAML": ("weight: 2", "weight: {"),
}


@pytest.mark.parametrize("change", CONTRADICTIONS)
def test_what_contradicts_what_was_left_out_is_refused_as_ever(change: str) -> None:
    """Findings are those of the ordinary reading, word for word."""
    policy = (
        "---\napiVersion: lbcontrol.io/v1alpha1\nkind: ServicePolicy\nmetadata: {name: p}\n"
        "spec: {locality: {prefer: Zone}, targetRefs: [{name: q}]}\n"
    )
    last = service("c").replace("weight: 3", "priority: 1")
    text = "services:\n" + service("a") + service("b") + last + policy
    old, new = CONTRADICTIONS[change]
    wrong = text.replace(old, new)
    with pytest.raises(ConfigError) as first:
        read_documents(wrong, path=PATH)
    with pytest.raises(ConfigError) as again_read:
        read_again(wrong, path=PATH, known=known_of(text))
    assert again_read.value.findings == first.value.findings


UNUSUAL = {
    "Windows lines": "services:\r\n  - name: a\r\n",
    "flow": "services: [{name: a}]\n",
    "kept line feeds": "services:\n  - {name: a}\n---\n# |+\n",
    "two lists": "services:\n  - {name: a}\n---\nservices: [{name: b}]\n",
    "a directive": "services:\n  - {name: a}\n%YAML 1.1\n---\n",
    "no services": "",
    "far from its key": "services:\n" + "\n" * 17 + "  - {name: a}\n",
    "a dash alone": "services:\n  - name: a\n  -\n    name: b\n",
}


@pytest.mark.parametrize("form", UNUSUAL)
def test_of_files_in_unusual_form_nothing_is_remembered(form: str) -> None:
    """They are read as ever, each time as a whole."""
    documents, known = read_again(UNUSUAL[form], path=PATH, known=NOTHING)
    assert documents == read_documents(UNUSUAL[form], path=PATH)
    assert known == NOTHING


def test_service_in_unusual_form_is_remembered_as_a_whole(texts_read: list[str]) -> None:
    """Endpoints that cannot be told apart are read again with any change of their service, and only then."""
    flow = '  - {name: a, endpoints: [{address: "10.0.0.1:80"}]}\n'
    dash = "  - name: b\n    endpoints:\n      - address: 10.0.0.1:80\n      -\n        address: 10.0.0.2:80\n"
    text = "services:\n" + flow + dash + service("c")
    after(text, text.replace("weight: 3", "weight: 30"))
    assert endpoint_lines(texts_read[-1]) == [2, 10, 12]
    after(text, text.replace("10.0.0.2", "10.0.0.3"))
    assert endpoint_lines(texts_read[-1]) == [2, 5, 7]


def test_known_text_in_another_list_is_not_taken_for_an_endpoint() -> None:
    """A line that was an endpoint and is something else now makes the whole be read."""
    line = '      - {address: "10.97.0.3:80", weight: 3}\n'
    text = "services:\n" + service("a")
    wrong = text.replace(line, "    aliases:\n      - x\n" + line)
    with pytest.raises(ConfigError) as caught:
        read_again(wrong, path=PATH, known=known_of(text))
    assert [each.code for each in caught.value.findings] == ["LB106"]


@pytest.mark.parametrize("place", ['      - {address: "10.97.0.2', '      - {address: "10.97.0.3', "  - name: b"])
def test_hidden_item_makes_the_whole_be_read(texts_read: list[str], place: str) -> None:
    """A dash on a line of its own begins an item that belongs to no text: the reading is ordinary."""
    text = "services:\n" + service("a") + service("b")
    hidden = "  -\n    name: x\n" if "name" in place else "      -\n        address: 10.0.0.9:80\n"
    changed = text.replace(place, hidden + place)
    after(text, changed)
    assert texts_read[-1] == changed


def test_item_below_its_dash_makes_the_whole_be_read(texts_read: list[str]) -> None:
    """An endpoint whose dash stands on the line before is none of those that can be told apart."""
    text = "services:\n" + service("a")
    changed = text.replace('- {address: "10.97.0.2', '- # new\n        {address: "10.97.0.2')
    after(text, changed)
    assert texts_read[-1] == changed


def test_file_that_is_too_long_is_refused_as_ever() -> None:
    """Its size and its bytes are looked at first."""
    for content in (b"#" * (MAX_BYTES + 1), b"services:\n  - name: \xff\n"):
        with pytest.raises(ConfigError) as caught:
            read_again(content, path=PATH, known=NOTHING)
        assert caught.value.findings[0].code in {"LB110", "LB112"}


def test_files_that_were_wrong_for_a_while_are_still_known(tmp_path: Path, texts_read: list[str]) -> None:
    """A mistake and its correction cost no more than other changes; a file that is gone is forgotten."""
    path, state = tmp_path / "f.yaml", FileState()
    text = "services:\n" + service("a", count=9)
    for content in (text, text.replace("weight: 5", "weight: 0"), text.replace("weight: 5", "weight: 50")):
        path.write_text(content)
        state = next_state(state, look(str(tmp_path)), source="s")
    assert state.snapshots["a"].endpoints[4].weight == 50
    assert [len(endpoint_lines(each)) for each in texts_read] == [9, 2, 9, 2]
    path.unlink()
    assert not next_state(state, look(str(tmp_path)), source="s").known
