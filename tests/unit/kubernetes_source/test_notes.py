"""Events: said once, counted up when they come back, never too many."""

from __future__ import annotations

from lbcontrol.sources.kubernetes.notes import BURST, MOST_NOTE, Note, NoteBook, Subject, event, name_of, repeated

POLICY = Subject("lbcontrol.io/v1alpha1", "ServicePolicy", ("shop", "p"), "uid")
BAD, WORSE = Note("Invalid", "bad"), Note("Invalid", "worse")


def test_note_is_said_once_while_it_holds() -> None:
    """Again when it has ended and begun anew, with how often it was said."""
    book = NoteBook()
    assert book.due(POLICY, [BAD, BAD], now=0.0) == [(BAD, 0)]
    assert book.due(POLICY, [BAD, WORSE], now=1.0) == [(WORSE, 0)]
    assert book.due(POLICY, [], now=2.0) == []
    assert book.due(POLICY, [BAD], now=3.0) == [(BAD, 1)]
    assert book.due(POLICY, [BAD], now=4.0) == []


def test_what_could_not_be_said_is_due_again() -> None:
    """As if it had not been tried."""
    book = NoteBook()
    book.due(POLICY, [BAD], now=0.0)
    book.unsaid(POLICY, BAD)
    assert book.due(POLICY, [BAD], now=1.0) == [(BAD, 0)]


def test_object_that_is_gone_is_forgotten() -> None:
    """What is made again under its name begins anew."""
    book = NoteBook()
    book.due(POLICY, [BAD], now=0.0)
    book.forget(POLICY)
    book.forget(POLICY)
    assert book.due(POLICY, [BAD], now=1.0) == [(BAD, 0)]


def test_rate_is_bounded_and_nothing_is_lost() -> None:
    """A burst, then one every five seconds; what waits is said in its turn."""
    book, notes = NoteBook(), [Note("Invalid", str(n)) for n in range(int(BURST) + 2)]
    assert len(book.due(POLICY, notes, now=0.0)) == BURST
    assert book.due(POLICY, notes, now=4.9) == []
    assert book.due(POLICY, notes, now=5.0) == [(notes[-2], 0)]
    assert book.due(POLICY, notes, now=10.0) == [(notes[-1], 0)]


def test_name_is_the_same_at_every_replica() -> None:
    """Made of the object and the words alone, and short enough."""
    assert name_of(POLICY, BAD) == name_of(POLICY, Note("Invalid", "bad"))
    assert name_of(POLICY, BAD) != name_of(POLICY, WORSE)
    long = Subject("v1", "Service", ("shop", "x" * 253), "uid")
    assert len(name_of(long, BAD)) <= 253


def test_event_has_what_the_api_asks_for() -> None:
    """events.k8s.io/v1, with a note of whole characters."""
    made = event(POLICY, Note("Invalid", "é" * 2_000), controller="c", instance="i" * 200, wall=0.0)
    assert made["regarding"]["uid"] == "uid"
    assert made["metadata"]["namespace"] == made["regarding"]["namespace"] == "shop"
    assert len(made["note"].encode()) == MOST_NOTE
    assert len(made["reportingInstance"]) == 128
    assert made["eventTime"] == "1970-01-01T00:00:00.000000Z"
    assert repeated(3, wall=0.0)["series"]["count"] == 3
