"""``help``: explain an error code or a verb."""

from __future__ import annotations

from lbcontrol.app.cli import pages
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.options import Help
from lbcontrol.model.findings import Finding


def help_(options: Help) -> int:
    """Print a page, a verb's flags, or everything there is.

    Raises:
        CommandError: there is no such code or verb (LB918).
    """
    from lbcontrol.app.cli.grammar import VERBS, invoke

    topic = options.topic
    if not topic:
        invoke(["--help"])
        print("\nError codes (lbcontrol help LBnnn):")
        print("\n".join(f"  {code}  {pages.title(code)}" for code in pages.codes()))
    elif topic in {verb.name for verb in VERBS}:
        invoke([topic, "--help"])
    elif topic.upper() in pages.codes():
        print(pages.page(topic.upper()).rstrip("\n"))
    else:
        finding = Finding("LB918", f'there is no verb and no error code "{topic}"', do="lbcontrol help lists both")
        raise CommandError(finding, exit_code=Exit.NOT_FOUND)
    return Exit.DONE
