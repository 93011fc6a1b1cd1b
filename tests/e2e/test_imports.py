"""What the server can do without is not imported."""

from __future__ import annotations

import subprocess
import sys


def test_server_is_imported_without_what_draws_and_dials() -> None:
    """Neither rich, which draws tables and tracebacks, nor grpc, which our own transport replaces, nor kubernetes."""
    program = (
        "import sys, importlib; from lbcontrol.app.serve import unimported\n"
        "with unimported('rich'): import structlog\n"
        "importlib.import_module('lbcontrol.app.server'); importlib.import_module('lbcontrol.transport.http2.server')\n"
        "print(*sorted({'rich', 'grpc', 'kubernetes', 'pygments'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30.0, check=True)
    assert done.stdout.strip() == ""
