"""The protocols of the two gRPC listeners, built on the core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lbcontrol import __version__
from lbcontrol.app.assembly import Core
from lbcontrol.app.config_sources import REGISTRY
from lbcontrol.app.limits import admin_messages, native_limits, xds_limits
from lbcontrol.app.operations import OperationsParts, ServerOperations
from lbcontrol.engine.compile import kind_of
from lbcontrol.frontends.admin import AdminFrontEnd
from lbcontrol.frontends.admin_ports import ClientView, ServerInfo
from lbcontrol.frontends.health import HealthFrontEnd
from lbcontrol.frontends.native import NativeFrontEnd, NativeParts
from lbcontrol.frontends.reflection import ReflectionFrontEnd
from lbcontrol.frontends.xds.frontend import XdsFrontEnd, XdsParts
from lbcontrol.runtime.ports import FrontEnd, Method
from lbcontrol.runtime.registrations import Registrar


@dataclass(frozen=True, slots=True)
class Faces:
    """What is served where."""

    clients: tuple[Method, ...]
    """Methods of the clients' listener."""
    admin: tuple[Method, ...]
    """Methods of the operators' listener."""
    protocols: Mapping[str, str]
    """Method path to the label ``protocol`` of ``streams``, where the front end does not count by itself."""
    operations: ServerOperations


def build_faces(core: Core) -> Faces:
    """Build every front end on ``core``."""
    authorizer, scheduler = core.ground.authorizer, core.ground.scheduler
    xds = _xds(core)
    native = _native(core, others=xds.client_views)
    operations = _operations(core, (xds, native))
    health = HealthFrontEnd(core.directory, authorizer)
    limits, metrics = admin_messages(core.ground.config.document.limits), core.ground.metrics
    admin = AdminFrontEnd(operations, core.directory, authorizer, clock=scheduler, limits=limits, metrics=metrics)
    return Faces(
        _reflected(core, (xds, native, health)),
        _reflected(core, (admin, health)),
        {method.path: native.name for method in native.methods()},
        operations,
    )


def _reflected(core: Core, front_ends: Iterable[FrontEnd]) -> tuple[Method, ...]:
    """Return the methods of one listener, with those that describe them."""
    methods = [method for each in front_ends for method in each.methods()]
    reflection = ReflectionFrontEnd([method.path for method in methods], core.ground.authorizer)
    return (*methods, *reflection.methods())


def _xds(core: Core) -> XdsFrontEnd:
    return XdsFrontEnd(
        XdsParts(
            views=core.publisher,
            authorizer=core.ground.authorizer,
            scheduler=core.ground.scheduler,
            metrics=core.ground.metrics,
            kind_of=kind_of,
            limits=xds_limits(core.ground.config.document.limits),
        )
    )


def _native(core: Core, *, others: Callable[[], Sequence[ClientView]]) -> NativeFrontEnd:
    document = core.ground.config.document
    registrar = next(each.source for each in core.sources if each.type == REGISTRY)
    return NativeFrontEnd(
        NativeParts(
            core.directory,
            core.ground.authorizer,
            core.loads,
            cast("Registrar", registrar),  # The source of type registry is both.
            core.ground.scheduler,
            native_limits(document.limits),
            document.registration.allow,
            core.ground.metrics,
            others,
        )
    )


def _operations(core: Core, front_ends: tuple[XdsFrontEnd, NativeFrontEnd]) -> ServerOperations:
    return ServerOperations(
        OperationsParts(
            engine=core.engine,
            hub=core.hub,
            clock=core.ground.scheduler,
            sources=core.sources,
            front_ends=front_ends,
            findings=core.tellers(),
            durable=core.persistence.durable,
            server=ServerInfo(__version__, core.ground.scheduler.wall()),
        )
    )
