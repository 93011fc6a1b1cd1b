"""Fails when a package is tested too little: 100 % of lines and branches in the core, 85 % elsewhere."""

from __future__ import annotations

import io
import json
import sys
from collections import defaultdict
from contextlib import redirect_stdout
from pathlib import Path

from coverage import Coverage

CORE = frozenset({"lbcontrol.model", "lbcontrol.policies", "lbcontrol.engine"})
"""Pure packages: nothing in them is hard to reach."""
ELSEWHERE_PERCENT = 85.0


def package_of(path: str) -> str:
    """Return the two-part package a measured file counts for, such as ``lbcontrol.engine``."""
    parts = Path(path).with_suffix("").parts
    start = next(index for index, part in enumerate(parts) if part in {"lbcontrol", "lookaside"})
    return ".".join(parts[start : start + 2]) if len(parts) > start + 2 else parts[start]


def percentages(report: Path) -> dict[str, tuple[float, list[str]]]:
    """Return covered per cent (lines and branches together) and the incomplete files of each package."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    incomplete: dict[str, list[str]] = defaultdict(list)
    for path, data in json.loads(report.read_text())["files"].items():
        summary, package = data["summary"], package_of(path)
        covered = summary["covered_lines"] + summary["covered_branches"]
        wanted = summary["num_statements"] + summary["num_branches"]
        totals[package][0] += covered
        totals[package][1] += wanted
        if covered < wanted:
            lines = ",".join(str(line) for line in data["missing_lines"][:8])
            branches = ",".join(f"{one}->{two}" for one, two in data["missing_branches"][:4])
            incomplete[package].append(f"{path}: lines {lines or '-'}; branches {branches or '-'}")
    return {name: (100.0 * part / max(1, whole), incomplete[name]) for name, (part, whole) in totals.items() if whole}


def judge(measured: dict[str, tuple[float, list[str]]]) -> int:
    """Print a line per package, and the gaps of those below their bar; return how many are below."""
    below = 0
    for name, (percent, files) in sorted(measured.items()):
        bar = 100.0 if name in CORE else ELSEWHERE_PERCENT
        good = percent >= bar
        below += not good
        print(f"coverage: {name:<22} {percent:6.2f} % of {bar:.0f} %{'' if good else '  BELOW'}")
        if not good:
            print("\n".join(f"coverage:   {line}" for line in sorted(files)))
    return below


def main() -> int:
    """Combine what all processes measured and judge it; the exit code."""
    measured = Coverage()
    report = Path(".coverage.json")
    with redirect_stdout(io.StringIO()):
        measured.combine() if not Path(".coverage").exists() else measured.load()
        measured.json_report(outfile=str(report))
    try:
        return 1 if judge(percentages(report)) else 0
    finally:
        report.unlink()


if __name__ == "__main__":
    sys.exit(main())
