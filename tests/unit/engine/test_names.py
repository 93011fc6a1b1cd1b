"""Names: who gets an alias, and that the answer does not depend on the order of events."""

from __future__ import annotations

from itertools import permutations

from lbcontrol.engine.names import NameBook
from tests.support.builders import Fed, endpoint, snapshot, updated


def test_alias_goes_to_the_earlier_source_and_then_the_smaller_name() -> None:
    """Three services want one alias: in every order of events the same one has it."""
    wants = {"a": 1, "b": 0, "c": 0}
    for order in permutations(wants):
        book = NameBook()
        for service in order:
            book.place({service: {"x": wants[service]}})
        assert {service: book.aliases(service)[0] for service in wants} == {"a": (), "b": ("x",), "c": ()}
        assert 'service "b" has it' in book.aliases("a")[1][0].why


def test_own_name_beats_an_alias() -> None:
    """A service keeps its name; who wants it as an alias learns that it exists."""
    fed = Fed()
    early = fed.one(updated(snapshot([endpoint(1)], service="a", aliases=("b", "a"))))
    assert early.aliases == ("b",)
    late = fed.feed(updated(snapshot([endpoint(2)], service="b")))
    assert [(each.service, each.aliases) for each in late] == [("a", ()), ("b", ())]
    assert [(each.code, each.why) for each in late[0].findings] == [("LB411", "a service of that name exists")]
    back = fed.feed(updated(removed=["b"]))
    assert [(each.service, each.aliases, each.removed) for each in back] == [("a", ("b",), False), ("b", (), True)]


def test_alias_moves_on_when_its_service_gives_it_up() -> None:
    """The next in line gets it in the same breath, and its finding is gone."""
    fed = Fed()
    fed.feed(updated(*(snapshot([endpoint(1)], service=name, aliases=("x",)) for name in ("a", "b", "c"))))
    assert fed.last["b"].aliases == ()
    assert [each.code for each in fed.last["c"].findings] == ["LB411"]
    moved = fed.feed(updated(snapshot([endpoint(1)], service="a", aliases=("y",))))
    assert [(each.service, each.aliases) for each in moved] == [("a", ("y",)), ("b", ("x",)), ("c", ())]
    assert 'service "b" has it' in moved[2].findings[0].why
    assert fed.last["b"].findings == ()


def test_losing_claim_disturbs_nobody_else() -> None:
    """Who wants a name after its owner, or no longer, is the only one to hear of it."""
    book = NameBook()
    assert book.place({"a": {"x": 0}}) == {"a"}
    assert book.place({"b": {"x": 0}}) == {"b"}
    assert book.place({"b": {}}) == {"b"}
    assert book.place({"b": None}) == {"b"}


def test_batch_that_swaps_a_name_tells_all_who_claim_it() -> None:
    """Many changes at once are compared as a whole: a name that ends where it was concerns nobody else."""
    book = NameBook()
    book.place({name: {"x": 0} for name in ("b", "c", "d")})
    assert book.place({"a": {"x": 0}, "b": None}) == {"a", "b", "c", "d"}
    assert book.place({"a": {"x": 1}, "e": {"x": 0}, "c": {"x": 1}}) == {"a", "c", "d", "e"}
    assert book.aliases("d")[0] == ("x",)
    assert book.place({"0": {"x": 1}, "f": {"x": 0}}) == {"0", "f"}


def test_name_is_unknown_when_no_service_or_alias_has_it() -> None:
    """Aliases count as names; a service that is gone takes its aliases with it."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)], aliases=("g.shop:50051",))))
    assert [fed.engine.is_unknown(name) for name in ("greeter", "g.shop:50051", "greter")] == [False, False, True]
    fed.feed(updated(removed=["greeter"]))
    assert [fed.engine.is_unknown(name) for name in ("greeter", "g.shop:50051")] == [True, True]
    book = NameBook()
    assert "greeter" not in book
