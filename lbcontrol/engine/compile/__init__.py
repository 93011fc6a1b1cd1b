"""The compiler: an assignment and what a kind of client can do, into the forms that client is told.

Belongs here: the table of clients, carriers of weights, cluster, route and listener forms, the check before sending,
and what a client policy cannot carry. Does not belong here: bytes, streams, what was acknowledged, who is connected.
"""

from lbcontrol.engine.compile.capabilities import Capabilities, capabilities_for, kind_of
from lbcontrol.engine.compile.check import problems
from lbcontrol.engine.compile.compiler import forms, share_key, stand_in
from lbcontrol.engine.compile.limitations import limitations

__all__ = ["Capabilities", "capabilities_for", "forms", "kind_of", "limitations", "problems", "share_key", "stand_in"]
