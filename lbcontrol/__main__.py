"""``python -m lbcontrol``: the same as the command ``lbcontrol``."""

from lbcontrol.app.cli import main

if __name__ == "__main__":
    main()
