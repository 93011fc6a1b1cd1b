"""Command line of lbcontrol.

Belongs here: verbs, flags, exit codes, output. Does not belong here: what the verbs do.
"""

import sys


def main() -> None:
    """Run the command line; exits 2 because no verb exists yet."""
    print("lbcontrol: no commands yet", file=sys.stderr)
    raise SystemExit(2)
