"""What a line of ``SOURCES`` leads to: the options of a type of source, and how to build one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler, Source


class Options(BaseModel):
    """Options of a source in the server's configuration, without ``type``: camelCase, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, use_attribute_docstrings=True)


Given = TypeVar("Given", bound=Options)
Given_contra = TypeVar("Given_contra", bound=Options, contravariant=True)


class Build(Protocol[Given_contra]):
    """Makes a source; opens and reads nothing yet."""

    def __call__(self, name: str, options: Given_contra, *, scheduler: Scheduler, metrics: Metrics) -> Source:
        """Return the source ``name``, to be run by a supervisor."""
        ...


@dataclass(frozen=True, slots=True)
class SourceSpec(Generic[Given]):
    """One type of source."""

    options: type[Given]
    """Model of its options."""
    build: Build[Given]
