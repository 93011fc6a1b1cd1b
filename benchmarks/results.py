"""What the benchmarks found: kept as JSON, so that each may be run alone, and shown as one Markdown page."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

from lbcontrol import __version__

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
GO_MOD = Path(__file__).parent / "fanout" / "gopeer" / "go.mod"
GO_MODULES = ("github.com/envoyproxy/go-control-plane", "google.golang.org/grpc", "k8s.io/client-go")
COMPONENTS = Path(__file__).parents[1] / "tests" / "components"


class Results:
    """Rows by benchmark, scenario and subject."""

    def __init__(self, found: dict[str, dict[str, dict[str, Any]]]) -> None:
        """Show what was found."""
        self._found = found

    @classmethod
    def read(cls, folder: Path = REFERENCE) -> Results:
        """Return what earlier runs found."""
        path = folder / "performance.json"
        return cls(json.loads(path.read_text()) if path.exists() else {})

    def rows(self, benchmark: str, scenario: str) -> Mapping[str, Any]:
        """Return the rows of a scenario by subject."""
        return self._found.get(benchmark, {}).get(scenario, {})

    @property
    def machine(self) -> Mapping[str, str]:
        """Machine and versions of the last run."""
        return self._found.get("machine", {}).get("facts", {})

    @classmethod
    def keep(cls, benchmark: str, scenario: str, rows: Mapping[str, Any], *, folder: Path = REFERENCE) -> Results:
        """Replace the rows of these subjects in JSON and page, whoever wrote them meanwhile; return all."""
        from benchmarks.page import page  # It shows what is kept here.

        results = cls.read(folder)
        found = results._found  # noqa: SLF001  its own
        found.setdefault(benchmark, {}).setdefault(scenario, {}).update(rows)
        found["machine"] = {"facts": facts()}
        (folder / "performance.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        (folder / "performance.md").write_text(page(results))
        return results


def stamp() -> dict[str, Any]:
    """Return when this was measured, of which commit, and how busy the machine was."""
    load = [round(one, 1) for one in os.getloadavg()]
    return {"date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "commit": _commit(), "load": load}


def facts() -> dict[str, str]:
    """Return machine and versions."""
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    modules = GO_MOD.read_text()
    found = {name: re.search(rf"{re.escape(name)} (v\S+)", modules) for name in GO_MODULES}
    return {
        "Machine": f"{os.cpu_count()} cores, {cpu[1] if cpu else '?'}, {int(memory[1]) >> 20 if memory else '?'} GiB",
        "System": f"Linux {platform.release()}, Python {platform.python_version()}, {_go()}, {_cc()}",
        "Versions": f"lbcontrol {__version__}, grpcio {version('grpcio')}, "
        + ", ".join(f"{name.rpartition('/')[2]} {one[1]}" for name, one in found.items() if one)
        + f", Kubernetes {_pinned('kube')}, Istio {_pinned('istio')}",
    }


def _pinned(component: str) -> str:
    """Return the version of a component, as its script pins it."""
    found = dict(re.findall(r"\b([A-Z]+)=(\S+)", (COMPONENTS / component).read_text()))
    return Template(found["VERSION"]).safe_substitute(found)


def _said(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _go() -> str:
    return _said("go", "env", "GOVERSION") or "no Go"


def _cc() -> str:
    return f"cc {_said('cc', '-dumpversion')}" if _said("cc", "-dumpversion") else "no C compiler"


def _commit() -> str:
    return _said("git", "-C", str(REFERENCE), "rev-parse", "--short", "HEAD") or "?"
