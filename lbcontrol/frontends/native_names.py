"""The directory as clients of one namespace see it: their bare names mean its services (``model.namespaces``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lbcontrol.frontends.native_ports import Directory
from lbcontrol.model.assignment import Decision
from lbcontrol.model.clients import Identity
from lbcontrol.model.namespaces import qualified
from lbcontrol.runtime.rights import namespace_of


def directory_for(identity: Identity, directory: Directory) -> Directory:
    """Return the directory in which an identity's names are looked up."""
    namespace = namespace_of(identity)
    return NamespaceDirectory(directory, namespace) if namespace else directory


class NamespaceDirectory:
    """Implements ``native_ports.Directory`` for one namespace."""

    __slots__ = ("_directory", "_namespace")

    def __init__(self, directory: Directory, namespace: str) -> None:
        """Look up in ``directory``."""
        self._directory = directory
        self._namespace = namespace

    @property
    def ready(self) -> bool:
        """As the directory says."""
        return self._directory.ready

    def decision(self, name: str) -> Decision | None:
        """Return the decision of what these clients mean: a service so called, then theirs, then an alias."""
        found = self._directory.decision(name)
        full = qualified(name, self._namespace)
        if not full or (found is not None and found.service == name):
            return found
        return self._directory.decision(full) or found

    def is_unknown(self, name: str) -> bool:
        """True when there is neither."""
        return self.decision(name) is None and self._directory.is_unknown(name)

    def decisions(self) -> Sequence[Decision]:
        """As the directory says."""
        return self._directory.decisions()

    def changed_at(self, service: str) -> float | None:
        """As the directory says."""
        return self._directory.changed_at(service)

    def watch(self, name: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when the answer about either may differ; returns the undo."""
        full = qualified(name, self._namespace)
        undos = [self._directory.watch(each, changed) for each in ((name, full) if full else (name,))]

        def undo() -> None:
            for each in undos:
                each()

        return undo
