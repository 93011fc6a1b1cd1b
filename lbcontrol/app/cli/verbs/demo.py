"""``demo``: a control plane, backends and a stock client on this machine, to break and to watch."""

from __future__ import annotations

from lbcontrol.app.cli.choices import Report
from lbcontrol.app.cli.options import Demo


def demo(options: Demo) -> int:
    """Run the demo; 0 only if every scenario that was asked for recovered."""
    from lbcontrol.app.demo import DemoOptions, run

    chosen = DemoOptions(
        scenarios=tuple(filter(None, options.scenario.split(","))),
        exit_after=options.exit_after or None,
        json_output=options.output is Report.JSON,
        seed=options.seed,
    )
    return run(chosen)
