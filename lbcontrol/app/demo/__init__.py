"""The demo: a control plane, backends and a stock gRPC client on loopback, to break and to watch.

Belongs here: the processes of the demo, what a user may break, what is shown of it, scripted scenarios.
Does not belong here: anything the product needs to serve; the demo is a user of the product like any other.
"""

from lbcontrol.app.demo.options import DemoOptions
from lbcontrol.app.demo.run import run

__all__ = ["DemoOptions", "run"]
