"""Samples that are nothing but counts, kept as columns: what nearly every report of a stock client is.

A sample of its own for each endpoint would cost more than reading the report, and a window of 500,000 of them a hundred
megabytes; so each is made when somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from lbcontrol.frontends.native_ports import LoadSample
from lbcontrol.model.endpoints import Address


class Counted(Sequence[LoadSample]):
    """What ended, failed and is in flight at each address; columns of one length that nobody changes any more."""

    __slots__ = ("_addresses", "_ended", "_failed", "_in_flight", "_interval")

    def __init__(
        self,
        addresses: Sequence[Address],
        ended: Sequence[int],
        *,
        failed: Sequence[int],
        in_flight: Sequence[int],
        interval: float,
    ) -> None:
        """Keep the columns.

        Args:
            addresses: Of what; each once.
            ended: Requests that ended, well or in error.
            failed: Those in error.
            in_flight: Requests that had not ended.
            interval: Seconds in which they ended; more than 0.
        """
        self._addresses = addresses
        self._ended = ended
        self._failed = failed
        self._in_flight = in_flight
        self._interval = interval

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._addresses)

    @overload
    def __getitem__(self, index: int) -> LoadSample: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[LoadSample]: ...

    def __getitem__(self, index: int | slice) -> LoadSample | Sequence[LoadSample]:
        """Return a sample, or several."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return LoadSample(
            self._addresses[index],
            self._ended[index] / self._interval,
            self._failed[index] / self._interval,
            in_flight=self._in_flight[index],
        )

    def __iter__(self) -> Iterator[LoadSample]:
        """Return the samples one after the other."""
        return (self[index] for index in range(len(self)))
