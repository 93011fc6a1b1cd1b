"""F1 and F2: whole connections, as damaged bytes in random cuts and as sequences of frames by grammar."""

from __future__ import annotations

import zlib
from collections import Counter
from random import Random

from tests.fuzz.differences import Difference
from tests.fuzz.grammar import Client
from tests.fuzz.inputs import FindingError, Target, read_corpus
from tests.fuzz.lockstep import Lockstep
from tests.fuzz.mutation import damaged, spliced
from tests.fuzz.subject import cuts, frames, limits_of, told

differences: Counter[Difference] = Counter()
"""How often each known difference was met."""


def check(data: bytes) -> None:
    """Hold a connection's input against every rule. Its first byte chooses limits and pace, the rest is what is read.

    Raises:
        FindingError: events or output depend on the cuts or on the fast path; something is kept beyond its limit or
            processed after a refusal; a window or a stream's order is not kept; h2 makes something else of it.
    """
    limits, raw = limits_of(data), data[1:]
    whole = told(limits, (raw,))
    seed = zlib.crc32(data)
    if told(limits, cuts(raw, seed)) != whole:
        raise FindingError("cuts change events or output")
    if told(limits, frames(raw), short=True) != whole:
        raise FindingError("the fast path changes events or output")
    if len(whole[1]) > 200 + 10 * len(raw):
        raise FindingError(f"{len(raw)} bytes are answered by {len(whole[1])}")
    seconds = (data[0] >> 1 & 3) * 4.0 if data else 0.0
    Lockstep(limits, seconds=seconds, note=_note).run(raw)


def _note(difference: Difference) -> None:
    differences[difference] += 1


def _first(rng: Random) -> bytes:
    return bytes((int(rng.random() * 4) if rng.random() < 0.9 else int(rng.random() * 8),))


def _alone(data: bytes) -> None:
    told(limits_of(data), (data[1:],))


def transport() -> Target:
    """Return F1: inputs of the corpus or of the grammar, damaged; sometimes any bytes."""
    kept = [*read_corpus("f1"), *read_corpus("f2")]

    def make(rng: Random) -> bytes:
        chance = rng.random()
        if chance < 0.03:
            return _first(rng) + rng.randbytes(int(rng.random() * 60))
        if chance < 0.4 or not kept:
            return _first(rng) + damaged(rng, Client(rng).conversation())
        one = kept[int(rng.random() * len(kept))]
        if chance > 0.9:
            return spliced(rng, one, kept[int(rng.random() * len(kept))])
        return damaged(rng, one)

    return Target("f1", make, check, _alone)


def sequences() -> Target:
    """Return F2: frames by grammar."""
    return Target("f2", lambda rng: _first(rng) + Client(rng).conversation(), check, _alone)
