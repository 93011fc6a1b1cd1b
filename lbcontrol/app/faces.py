"""The protocols of the two gRPC listeners, built on the core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from lbcontrol import __version__
from lbcontrol.app.assembly import Core, Ground
from lbcontrol.app.config_sources import REGISTRY
from lbcontrol.app.limits import admin_messages, lrs_limits, native_limits, xds_limits
from lbcontrol.app.operations import OperationsParts, ServerOperations
from lbcontrol.engine.compile import kind_of
from lbcontrol.frontends.admin import AdminFrontEnd, AdminParts
from lbcontrol.frontends.admin_ports import ClientView, ServerInfo
from lbcontrol.frontends.health import HealthFrontEnd
from lbcontrol.frontends.login import as_local, with_login
from lbcontrol.frontends.lrs.frontend import LrsFrontEnd
from lbcontrol.frontends.lrs.stream import LrsParts
from lbcontrol.frontends.native import NativeFrontEnd, NativeParts
from lbcontrol.frontends.reflection import ReflectionFrontEnd
from lbcontrol.frontends.xds.frontend import XdsFrontEnd, XdsParts
from lbcontrol.runtime.ports import FrontEnd, Method
from lbcontrol.runtime.registrations import Registrar
from lbcontrol.runtime.rights import Rights


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
    lrs = _lrs(core)
    operations = _operations(core, (xds, native))
    health = HealthFrontEnd(core.directory, authorizer)
    ground = core.ground
    limits = admin_messages(ground.config.document.limits)
    parts = AdminParts(operations, core.directory, authorizer, scheduler, limits, ground.metrics, ground.questions)
    admin = AdminFrontEnd(parts)
    return Faces(
        _logged_in(ground, _reflected(core, (xds, lrs, native, health))),
        _near(ground, _logged_in(ground, _reflected(core, (admin, health)))),
        {method.path: label for each, label in ((native, "native"), (lrs, "xds")) for method in each.methods()},
        operations,
    )


def _logged_in(ground: Ground, methods: tuple[Method, ...]) -> tuple[Method, ...]:
    return methods if ground.logins is None else with_login(methods, ground.logins)


def _near(ground: Ground, methods: tuple[Method, ...]) -> tuple[Method, ...]:
    """Return operators' methods; where rights are told apart, callers of this machine have a name."""
    return as_local(methods) if isinstance(ground.authorizer, Rights) else methods


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
            fast_path=core.ground.fast_path,
        )
    )


def _lrs(core: Core) -> LrsFrontEnd:
    rejected = core.ground.metrics.rejected_total
    return LrsFrontEnd(
        LrsParts(
            core.directory,
            core.ground.authorizer,
            core.loads,
            core.ground.scheduler,
            kind_of=kind_of,
            rejected=lambda reason: rejected.labels("lrs", reason).inc(),
            limits=lrs_limits(core.ground.config.document.limits),
            node_limits=xds_limits(core.ground.config.document.limits),
        )
    )


def _native(core: Core, *, others: Callable[[], Iterable[ClientView]]) -> NativeFrontEnd:
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
            core.ground.worker,
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
            aside=core.ground.questions,
        )
    )
