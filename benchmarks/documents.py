"""What a change of a file costs: processor time of reading it for the first time and again, and who waits meanwhile.

Each change is made several times and the median taken; "longest stop" is the longest time for which another thread
of the process did not run while the largest of these readings went on (the loop's turn, were it the loop).

Run: .venv/bin/python -m benchmarks.documents. The result is recorded in docs/adr/0003.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator

from lbcontrol.runtime.collector import collector_paused
from lbcontrol.runtime.pauses import SWITCH_INTERVAL
from lbcontrol.sources.documents import NOTHING, Known, read_again

PATH = "d/f.yaml"
ROUNDS = 15
STEP = 0.0005
"""Seconds for which the other thread rests."""


def flow(service: int, endpoints: int) -> str:
    """Return a service with one line for each endpoint, as people write it."""
    places = (f"10.{service}.{each >> 8}.{each & 255}:8080" for each in range(1, endpoints + 1))
    items = "".join(f'      - {{address: "{place}", weight: 1}}\n' for place in places)
    return f"  - name: svc-{service}\n    endpoints:\n{items}"


def block(service: int, endpoints: int) -> str:
    """Return a service as programs write it: keys in the order of the alphabet, each on its line."""
    places = (f"10.{service}.{each >> 8}.{each & 255}:8080" for each in range(1, endpoints + 1))
    items = "".join(f"  - address: {place}\n    weight: 1\n" for place in places)
    return f"- endpoints:\n{items}  name: svc-{service}\n"


def weight(text: str, number: int) -> str:
    """Give the endpoint in the middle another weight."""
    at = text.index("weight: 1", len(text) // 2)
    return f"{text[:at]}weight: {number + 2}{text[at + len('weight: 1') :]}"


def line(text: str, number: int) -> str:
    """Put as many lines above all services as nothing else does."""
    return "# moved\n" * (number + 1) + text


def read(text: str, known: Known) -> tuple[float, Known]:
    """Read a file; return the milliseconds of processor time, and what is known now."""
    start = time.process_time()
    with collector_paused():
        _, known = read_again(text, path=PATH, known=known)
    return (time.process_time() - start) * 1e3, known


def first(text: str) -> Iterator[float]:
    """Read a file that nothing is known of."""
    for _ in range(ROUNDS):
        yield read(text, NOTHING)[0]


def again(text: str, change: Callable[[str, int], str]) -> Iterator[float]:
    """Read a file after each change of it."""
    known = read(text, NOTHING)[1]
    for number in range(ROUNDS):
        cost, known = read(change(text, number), known)
        yield cost


def longest_stop(text: str) -> float:
    """Return the longest time, in milliseconds, for which this thread waits while another reads a file again."""
    rounds = again(text, weight)
    next(rounds)
    reader = threading.Thread(target=lambda: list(rounds), daemon=True)
    reader.start()
    longest = 0.0
    while reader.is_alive():
        before = time.perf_counter()
        time.sleep(STEP)
        longest = max(longest, time.perf_counter() - before - STEP)
    return longest * 1e3


def main() -> None:
    """Print a table."""
    print("| file | kB | first reading, ms | again, one weight | again, a line above all | longest stop |")
    print("| --- | --- | --- | --- | --- | --- |")
    forms = {"a line each": flow, "keys on lines": block}
    for (name, form), (services, endpoints) in (
        (form, size) for form in forms.items() for size in ((1, 100), (1, 1_000), (50, 100), (1, 20_000))
    ):
        text = "services:\n" + "".join(form(each, endpoints) for each in range(services))
        if len(text) > 1_000_000:
            continue
        costs = [first(text), again(text, weight), again(text, line)]
        figures = " | ".join(f"{statistics.median(each):.2f}" for each in costs)
        print(f"| {services} x {endpoints:,}, {name} | {len(text) // 1000} | {figures} | {longest_stop(text):.1f} |")


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_INTERVAL)
    main()
