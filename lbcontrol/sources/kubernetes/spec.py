"""``type: kubernetes`` for the registry of sources; the official client, slow to load, is loaded where it is used."""

from __future__ import annotations

import importlib
import random

from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler, Source
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.spec import SourceSpec


def build(name: str, options: KubernetesOptions, *, scheduler: Scheduler, metrics: Metrics) -> Source:
    """Return a Kubernetes source."""
    module = importlib.import_module("lbcontrol.sources.kubernetes.source")
    rng = random.Random()  # noqa: S311  spreads load, guards nothing
    source: Source = module.KubernetesSource(name, options, scheduler=scheduler, rng=rng, metrics=metrics)
    return source


SPEC = SourceSpec(KubernetesOptions, build)
"""``type: kubernetes``."""
