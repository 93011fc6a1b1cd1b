"""The server's configuration: one document ``kind: Server``, what the command line says besides, and defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lbcontrol.app.config_document import KIND, LATER_BUSES, ServerDocument, listen_of, probe_of
from lbcontrol.app.config_sources import FILE, REGISTRY, SourceConfig, read_sources, source
from lbcontrol.app.config_tls import TlsConfig, Written, read_tls
from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.sources.documents.messages import checked
from lbcontrol.sources.documents.refusals import Problem, RefusalError, accepted, findings_of, shown
from lbcontrol.sources.documents.tree import Fields, line_of, read_forest, value_at
from lbcontrol.sources.documents.vocabulary import NOT_YET
from lbcontrol.transport.listening import Listen

FILES = Path("lbcontrol.d")
"""Read without any configuration, when it is there."""
SOCKET = "admin.sock"
"""Name of the operators' socket in the state directory."""
GRPC, ADMIN, PROBE = (Listen("127.0.0.1", port) for port in (18000, 18001, 18002))
"""Where the server listens unless told otherwise; to operators only without a state directory."""
NOT_STARTED = "the server does not start"
"""Effect of every finding here."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What a server is made of, with every default filled in and every path resolved."""

    document: ServerDocument
    """What was written, and defaults."""
    grpc: Listen
    admin: Listen
    probe: Listen
    sources: tuple[SourceConfig, ...]
    """The self-registration source is always one of them."""
    state_dir: Path | None
    insecure: bool
    transport: str
    """A key of ``TRANSPORTS``."""
    tls: TlsConfig = TlsConfig()
    origin: str = ""
    """The file it was read from; empty for none."""


def load(path: str | None, *, sources_path: str | None, overrides: Mapping[str, str]) -> ServerConfig:
    """Read the configuration.

    Args:
        path: The file; None for none.
        sources_path: A file or directory that one file source shall watch, instead of the file sources configured.
        overrides: From the command line, by dotted key (``listen.grpc``); stronger than the file.

    Raises:
        ConfigError: something is wrong; the findings are all that was found.
    """
    file = Path(path) if path is not None else None
    document, sources, root = _read(file) if file is not None else (ServerDocument(), [], None)
    base = file.parent if file is not None else Path()
    told = _Told(overrides)
    state_dir = told.path("stateDir") or (base / document.state_dir if document.state_dir else None)
    config = ServerConfig(
        document,
        grpc=told.listen("listen.grpc") or _based(document.listen.grpc or GRPC, base),
        admin=told.listen("listen.admin") or _admin(document, base, state_dir),
        probe=told.listen("listen.probe") or document.listen.probe or PROBE,
        sources=tuple(_sources(document, sources, base=base, sources_path=sources_path)),
        state_dir=state_dir.absolute() if state_dir else None,
        insecure=document.insecure or bool(overrides.get("insecure")),
        transport=overrides.get("transport") or document.transport,
        origin=path or "",
    )
    if document.take_over and state_dir is None:
        why = "there is nothing to take over without a state directory"
        at = f"{file}:{line_of(root, ('takeOver',)) if root else 1}, takeOver"
        told.findings.append(Finding("LB510", "takeOver has no effect", at, why, NOT_STARTED, "set stateDir"))
    if told.findings:
        raise ConfigError(*told.findings)
    try:
        written = Written(document, root, file, overrides)
        tls = read_tls(written, grpc=config.grpc, admin=config.admin, transport=config.transport)
    except ConfigError as error:
        raise ConfigError(*(dataclasses.replace(each, effect=NOT_STARTED) for each in error.findings)) from error
    return dataclasses.replace(config, tls=tls)


def _admin(document: ServerDocument, base: Path, state_dir: Path | None) -> Listen:
    if document.listen.admin is not None:
        return _based(document.listen.admin, base)
    return _based(Listen(path=state_dir / SOCKET), Path()) if state_dir else ADMIN


def _based(listen: Listen, base: Path) -> Listen:
    """Return ``listen`` with an absolute path."""
    return listen if listen.path is None else Listen(path=(base / listen.path).absolute())


def _sources(
    document: ServerDocument, written: list[SourceConfig], *, base: Path, sources_path: str | None
) -> Iterator[SourceConfig]:
    for each in written:
        if each.type == FILE and sources_path is None:
            options = each.options.model_copy(update={"path": str(base / str(getattr(each.options, "path", "")))})
            yield dataclasses.replace(each, options=options)
        elif each.type != FILE:
            yield each
    if sources_path is not None:
        yield source(FILE, FILE, path=sources_path)
    elif document.sources is None and (base / FILES).exists():
        yield source(FILE, FILE, path=str(base / FILES))
    if not any(each.type == REGISTRY for each in written):
        yield source(REGISTRY, REGISTRY)


def _read(file: Path) -> tuple[ServerDocument, list[SourceConfig], Fields]:
    """Read a configuration file; returns also how it was written.

    Raises:
        ConfigError: it cannot be read, or is wrong.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        what = f"cannot read the configuration {file}"
        raise ConfigError(Finding("LB130", what, why=why, effect=NOT_STARTED, do="check --config")) from error
    forest = read_forest(content)
    problems = list(forest.problems) or list(_shape_problems(forest.roots))
    root = forest.roots[0] if forest.roots else Fields(1)
    if problems or not isinstance(root, Fields):
        raise _refused(file, problems)
    document, wrong = checked(ServerDocument, root)
    sources, wrong_sources = read_sources(root)
    problems += [_later(root, each) for each in wrong] + wrong_sources
    if problems or document is None:
        raise _refused(file, problems)
    return document, sources, root


def _refused(file: Path, problems: list[Problem]) -> ConfigError:
    findings = findings_of(problems, path=str(file))
    return ConfigError(*(dataclasses.replace(each, effect=NOT_STARTED) for each in findings))


def _shape_problems(roots: list[object]) -> Iterator[Problem]:
    if len(roots) > 1:
        what = f"the file has {len(roots)} documents"
        yield Problem(line_of(roots[1], ()), "", RefusalError("LB125", what, why="the limit is 1", do="split it"))
    root = roots[0] if roots else Fields(1)
    if not isinstance(root, Fields):
        yield Problem(1, "", RefusalError("LB106", f"the document is {shown(root)}", why="wanted: a mapping"))
    elif root.get("kind") != KIND:
        what = f"kind is {shown(root['kind'])}" if "kind" in root else 'the key "kind" is missing'
        do = "give it to lbcontrol serve PATH" if "services" in root or "kind" in root else f"write kind: {KIND}"
        refusal = RefusalError("LB114" if "kind" in root else "LB105", what, why=accepted([KIND]), do=do)
        yield Problem(line_of(root, ("kind",) if "kind" in root else ()), "kind", refusal)


def _later(root: Fields, problem: Problem) -> Problem:
    """Say of a value that a later version accepts that it is not supported yet."""
    loc = tuple(problem.label.split("."))
    later = LATER_BUSES if loc == ("bus", "type") else ()
    value = value_at(root, *loc)
    if value not in later:
        return problem
    refusal = RefusalError("LB107", f"{problem.label} {value} is {NOT_YET}", why=problem.refusal.why, do="take it out")
    return dataclasses.replace(problem, refusal=refusal)


class _Told:
    """What the command line said, with what is wrong about it."""

    def __init__(self, overrides: Mapping[str, str]) -> None:
        self._overrides = overrides
        self.findings: list[Finding] = []

    def path(self, key: str) -> Path | None:
        """Return a path, None when nothing was said."""
        text = self._overrides.get(key, "")
        return Path(text) if text else None

    def listen(self, key: str) -> Listen | None:
        """Return where to listen, None when nothing was said or it was wrong."""
        text = self._overrides.get(key, "")
        if not text:
            return None
        try:
            listen = probe_of(text) if key == "listen.probe" else listen_of(text)
        except RefusalError as error:
            self._refuse(key, error)
            return None
        return _based(listen, Path())

    def _refuse(self, key: str, error: RefusalError) -> None:
        flag = f"--{key.rpartition('.')[2]}"
        self.findings.append(Finding(error.code, error.what, flag, error.why, NOT_STARTED, error.do))
