"""Protocols that clients and operators speak: each turns decisions into messages and messages into events.

Belongs here: xDS, LRS, the native API, admin, health, reflection; all wire types.
Does not belong here: sockets, tasks, registries.
"""

from collections.abc import Mapping
from types import MappingProxyType

FRONTENDS: Mapping[str, str] = MappingProxyType(
    {
        "xds": "lbcontrol.frontends.xds.frontend:XdsFrontEnd",
        "lrs": "lbcontrol.frontends.lrs.frontend:LrsFrontEnd",
        "native": "lbcontrol.frontends.native:NativeFrontEnd",
        "admin": "lbcontrol.frontends.admin:AdminFrontEnd",
        "health": "lbcontrol.frontends.health:HealthFrontEnd",
        "reflection": "lbcontrol.frontends.reflection:ReflectionFrontEnd",
    }
)
"""Front end by name: ``module:class``, imported when it is served. Each class has ``name`` and ``methods()``."""
