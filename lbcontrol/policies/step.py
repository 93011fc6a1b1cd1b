"""What every step of the pipeline looks like."""

from __future__ import annotations

from typing import Protocol, TypeVar

State = TypeVar("State")
Inputs_contra = TypeVar("Inputs_contra", contravariant=True)
Output_co = TypeVar("Output_co", covariant=True)


class Chance(Protocol):
    """A seeded source of randomness, passed in; ``random.Random`` is one."""

    def random(self) -> float:
        """Return the next number from 0 to below 1."""
        ...


class Step(Protocol[State, Inputs_contra, Output_co]):
    """A pure step: equal arguments give equal results, and nothing is kept but the state it returns."""

    def __call__(
        self, state: State, inputs: Inputs_contra, now: float, rng: Chance | None, /
    ) -> tuple[State, Output_co]:
        """Return the next state and the output.

        Args:
            state: What this step returned last; None for a step without one.
            inputs: The columns and settings it reads.
            now: Monotonic seconds.
            rng: Randomness; None while no step of the pipeline draws any.

        Raises:
            ValueError: the inputs break a promise of the model; the caller freezes the service.
        """
        ...
