"""YAML text to plain values that know their lines, without building anything but dicts, lists, texts and numbers.

The parser's events are read one by one, so that depth is bounded while parsing. Anchors, aliases and tags are refused:
they make small files large and plain values into objects. Problems are collected, not raised; a value that cannot be
used is replaced by ``UNUSABLE``, about which nothing further is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from yaml import CBaseLoader

from lbcontrol.sources.documents.refusals import Loc, Problem, RefusalError, quoted
from lbcontrol.sources.documents.scalars import DISPUTED, resolve

MAX_BYTES = 1_000_000
"""Largest document file."""
MAX_DEPTH = 32
"""Deepest nesting of mappings and lists."""
UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML does not allow in a file."""
TOO_DEEP = "mappings and lists are nested too deeply"
"""What is said beyond ``MAX_DEPTH``."""
MAX_PROBLEMS = 1_000
"""Reading stops when a file has more."""
UNUSABLE = object()
"""Stands where a value was refused already."""


class Fields(dict[str, object]):
    """A mapping as written."""

    __slots__ = ("key_lines", "line")

    def __init__(self, line: int) -> None:
        """Begin an empty mapping that starts on ``line``."""
        super().__init__()
        self.line = line
        self.key_lines: dict[str, int] = {}


class Items(list[object]):
    """A list as written."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        """Begin an empty list that starts on ``line``."""
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def line_of(root: object, loc: Loc) -> int:
    """Return the line of what ``loc`` leads to, or of the innermost part that exists."""
    line, value = 1, root
    for step in loc:
        if isinstance(value, Fields):
            line = value.key_lines.get(str(step), value.line)
            value = value.get(str(step))
        elif isinstance(value, Items) and isinstance(step, int):
            line, value = value.lines[step], value[step]
    return line if loc or not isinstance(root, Fields | Items) else root.line


def label_of(root: object, loc: Loc) -> str:
    """Return ``loc`` as people say it: ``greeter.endpoints[1].weight``, with the service's name where it has one."""
    rest = loc
    text = ""
    if len(loc) > 1 and loc[0] == "services" and isinstance(loc[1], int):
        name = value_at(root, *loc[:2], "name")
        if isinstance(name, str) and name and len(name) <= 80 and name.isprintable():
            text, rest = name, loc[2:]
    for step in rest:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return quoted(text)[1:-1]


def value_at(root: object, *loc: str | int) -> object:
    """Return the value at ``loc``; None when something on the way is not there or not of that kind."""
    value = root
    for step in loc:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


@dataclass(slots=True)
class Forest:
    """The documents of one file, with what was wrong on the level of YAML."""

    roots: list[object] = field(default_factory=list)
    """One value per document that is not empty."""
    problems: list[Problem] = field(default_factory=list)


def decoded(content: bytes | str) -> str:
    """Return the text of a file.

    Raises:
        RefusalError: it is too long or not UTF-8.
    """
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(data) > MAX_BYTES:
        do = "split it: a directory of files is read as one"
        raise RefusalError("LB110", f"the file has {len(data)} bytes", why=f"the limit is {MAX_BYTES} bytes", do=do)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        what = f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8"
        raise RefusalError("LB112", what, do="save the file as UTF-8") from error


def read_forest(content: bytes | str) -> Forest:
    """Read all documents of a file; never raises."""
    forest = Forest()
    try:
        text = decoded(content)
    except RefusalError as error:
        forest.problems.append(Problem(1, "", error))
        return forest
    stray = UNREADABLE.search(text)
    if stray:
        what = f"the file contains the character U+{ord(stray.group()):04X}"
        refusal = RefusalError("LB112", what, why="YAML does not allow control characters", do="remove it")
        forest.problems.append(Problem(text.count("\n", 0, stray.start()) + 1, "", refusal))
        return forest
    try:
        _Growth(forest).read(yaml.parse(text, Loader=CBaseLoader))
    except yaml.MarkedYAMLError as error:
        forest.problems.append(_syntax_problem(error, text))
    return forest


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    number = mark.line if mark else 0
    lines = text.split("\n")
    line = lines[number] if number < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        refusal = RefusalError(
            "LB108", "a tab in the indentation", why="YAML indents with spaces only", do="write spaces"
        )
        return Problem(number + 1, "", refusal)
    if "nesting depth" in (error.problem or ""):  # The parser looks ahead, and gives up by itself.
        why = f"the limit is {MAX_DEPTH} levels"
        return Problem(number + 1, "", RefusalError("LB111", TOO_DEEP, why=why, do="write it flatter"))
    context = f"{error.context}: " if error.context and "next token" not in error.context else ""
    why = f"{context}{error.problem}"
    do = f"look at {quoted(line.strip())}" if line.strip() else "look at what stands before it"
    return Problem(number + 1, "", RefusalError("LB101", "this is not YAML", why=why, do=do))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is being read."""

    container: Fields | Items
    key: str | None = None
    """The key whose value comes next."""
    drop: bool = False
    """The next value belongs to a key that was refused."""

    @property
    def wants_key(self) -> bool:
        return isinstance(self.container, Fields) and self.key is None

    open: str | int = ""
    """Where the last value went: the way to what is nested in it."""

    @property
    def step(self) -> str | int:
        """Where the next value goes."""
        return len(self.container) if isinstance(self.container, Items) else self.key or ""

    def put(self, value: object, line: int) -> None:
        self.open = self.step
        if isinstance(self.container, Items):
            self.container.append(value)
            self.container.lines.append(line)
        elif not self.drop and self.key is not None:
            self.container[self.key] = value
        self.key, self.drop = None, False


class _StopError(Exception):
    """Stop reading: too deep, or too much is wrong to tell."""


class _Growth:
    """Builds a forest from events."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._stack: list[_Frame] = []
        self._root: object = None

    def read(self, events: Iterator[yaml.Event]) -> None:
        try:
            for event in events:
                self._take(event)
        except _StopError:
            return

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._refuse(event, "LB109", f"the alias *{event.anchor}", "write the value out")
            self._value(UNUSABLE, event)
        elif isinstance(event, yaml.DocumentEndEvent):
            if self._root is not None:
                self._forest.roots.append(self._root)
            self._root = None

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._is_refused(event):
            self._value(UNUSABLE, event)
        elif self._stack and self._stack[-1].wants_key:
            self._key(event.value, event)
        else:
            value = resolve(event.value) if event.implicit[0] else event.value
            if value is None and self._stack:
                self._refuse(event, "LB106", "there is no value here", "leave the key out, or write [] or {} for none")
                value = UNUSABLE
            elif event.implicit[0] and event.value in DISPUTED:
                what = f"{event.value} without quotes is text to some readers of YAML and a boolean to others"
                self._refuse(event, "LB106", what, "put it in quotes; a boolean is written true or false")
                value = UNUSABLE
            self._value(value, event)

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(event, "LB111", TOO_DEEP, "write it flatter", why=f"the limit is {MAX_DEPTH} levels")
            raise _StopError
        self._is_refused(event)
        line = _line(event)
        container = Fields(line) if isinstance(event, yaml.MappingStartEvent) else Items(line)
        self._value(container, event)
        self._stack.append(_Frame(container))

    def _is_refused(self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent) -> bool:
        """Refuse anchors and tags; True for what has one."""
        if event.anchor:
            self._refuse(event, "LB109", f"the anchor &{event.anchor}", "write the value out where it is used")
        if event.tag:
            self._refuse(event, "LB109", f"the tag {event.tag}", "leave the tag out")
        return bool(event.anchor or event.tag)

    def _key(self, key: str, event: yaml.Event) -> None:
        frame = self._stack[-1]
        frame.key = key
        lines = frame.container.key_lines if isinstance(frame.container, Fields) else {}
        if key in lines:
            why = f"it stands on line {lines[key]} already"
            self._refuse(event, "LB102", f"the key {quoted(key)} stands twice", "remove one of them", why=why)
            frame.drop = True
        else:
            lines[key] = _line(event)

    def _value(self, value: object, event: yaml.Event) -> None:
        """Put a value where it belongs; in the place of a key, refuse it."""
        if not self._stack:
            self._root = value
        elif self._stack[-1].wants_key:
            if value is not UNUSABLE:
                self._refuse(event, "LB106", "a key that is not text", "write a plain word before the colon")
            self._stack[-1].key, self._stack[-1].drop = "", True
        else:
            self._stack[-1].put(value, _line(event))

    def _refuse(self, event: yaml.Event, code: str, what: str, do: str, *, why: str = "") -> None:
        root = self._root if self._stack else None
        steps = [*(frame.open for frame in self._stack[:-1]), *(frame.step for frame in self._stack[-1:])]
        label = label_of(root, tuple(steps))
        why = why or ("anchors, aliases and tags are not read" if code == "LB109" else "")
        self._forest.problems.append(Problem(_line(event), label, RefusalError(code, what, why=why, do=do)))
        if len(self._forest.problems) > MAX_PROBLEMS:
            raise _StopError
