"""The picture of a cluster: what goes in, and what has to be told."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lbcontrol.sources.kubernetes.objects import Service
from lbcontrol.sources.kubernetes.options import Choice, KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from tests.support.kube_objects import at, service, slice_

OPTIONS = KubernetesOptions()
MOST = 100


def picture(*services: Service, options: KubernetesOptions = OPTIONS) -> Picture:
    """Return a picture of Services, nothing told yet."""
    made = Picture("cluster", options)
    for each in services:
        made.put_service(each)
    return made


def told(of: Picture) -> tuple[list[str], list[str]]:
    """Return what is new: changed and removed names."""
    telling = of.take(MOST)
    return [each.service for each in telling.changed], list(telling.removed)


def test_only_chosen_services_are_told() -> None:
    """The annotation counts; taken away, the service is removed."""
    made = picture(service("a", enabled="true"), service("b"), service("c", enabled="false"))
    assert told(made) == (["a.shop"], [])
    made.put_service(service("a"))
    assert told(made) == ([], ["a.shop"])
    assert not made.is_stirred


def test_selected_services_need_no_annotation() -> None:
    """The API server applied the selector; an annotation can still keep one out."""
    options = KubernetesOptions(services=Choice.SELECTED, selector="tier=grpc")
    made = picture(service("a"), service("b", enabled="false"), options=options)
    assert told(made) == (["a.shop"], [])


def test_slices_may_come_first() -> None:
    """Kinds are listed independently."""
    made = picture()
    made.put_slice(slice_("a", at("10.0.0.1")))
    assert told(made) == ([], [])
    made.put_service(service(enabled="true"))
    (snapshot,) = made.take(MOST).changed
    assert len(snapshot.endpoints) == 1


def test_slice_moves_to_another_service_by_its_label() -> None:
    """The old one loses it and the new one has it, in one telling."""
    made = picture(service("echo", enabled="true"), service("other", enabled="true"))
    made.put_slice(slice_("a", at("10.0.0.1")))
    made.take(MOST)
    made.put_slice(slice_("a", at("10.0.0.1"), of="other"))
    assert {each.service: len(each.endpoints) for each in made.take(MOST).changed} == {"echo.shop": 0, "other.shop": 1}


def test_same_objects_again_are_no_news() -> None:
    """A relist that found nothing new tells nothing."""
    made = picture(service(enabled="true"))
    made.take(MOST)
    made.put_service(service(enabled="true"))
    assert not made.take(MOST)


def test_malformed_annotation_leaves_the_last_form() -> None:
    """The service stays as it was, with a finding that names the value and what is accepted."""
    ports = ({"name": "a", "port": 1}, {"name": "b", "port": 2})
    made = picture(service("echo", *ports, enabled="true", port="b"))
    made.take(MOST)
    made.put_service(service("echo", *ports, enabled="yes", port="c"))
    changed = {each.service: each for each in made.take(MOST).changed}
    assert "echo.shop:2" in changed["echo.shop"].aliases
    assert [finding.code for finding in changed["echo.shop"].findings] == ["LB230", "LB230"]
    assert changed["echo.shop"].findings[1].why == "accepted: 1, a, 2, b"


def test_malformed_from_the_start_is_not_chosen() -> None:
    """There is no last form to keep."""
    assert told(picture(service(enabled="ja"))) == ([], [])


def test_few_are_told_at_once() -> None:
    """The rest waits for the next call."""
    made = picture(*(service(f"s{n}", enabled="true") for n in range(5)))
    assert [len(made.take(2).changed) for _ in range(3)] == [2, 2, 1]
    assert not made.is_stirred


def test_everything_is_told_again_to_a_new_listener() -> None:
    """What was told before counts no more."""
    made = picture(service(enabled="true"))
    made.take(MOST)
    made.tell_all_again()
    assert told(made) == (["echo.shop"], [])


class Changes(RuleBasedStateMachine):
    """Whatever comes in whatever order: what was told adds up to what a fresh picture of the same objects tells."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.picture = picture()
        self.services: dict[str, Service] = {}
        self.slices: dict[str, tuple[str, str]] = {}
        self.sink: dict[str, int] = {}

    @rule(name=st.sampled_from("ab"), enabled=st.sampled_from(["true", "false"]))
    def put_service(self, name: str, enabled: str) -> None:
        """A Service comes or changes."""
        self.services[name] = service(name, enabled=enabled)
        self.picture.put_service(self.services[name])

    @rule(name=st.sampled_from("ab"))
    def drop_service(self, name: str) -> None:
        """A Service goes, known or not."""
        self.services.pop(name, None)
        self.picture.drop_service(("shop", name))

    @rule(name=st.sampled_from("xyz"), of=st.sampled_from("ab"), last=st.sampled_from("123"))
    def put_slice(self, name: str, of: str, last: str) -> None:
        """A slice comes, changes or moves."""
        self.slices[name] = of, f"10.0.0.{last}"
        self.picture.put_slice(slice_(name, at(f"10.0.0.{last}"), of=of))

    @rule(name=st.sampled_from("xyz"))
    def drop_slice(self, name: str) -> None:
        """A slice goes, known or not."""
        self.slices.pop(name, None)
        self.picture.drop_slice(("shop", name))

    @rule(most=st.integers(1, 2))
    def tell(self, most: int) -> None:
        """The sink is told a part."""
        telling = self.picture.take(most)
        self.sink |= {each.service: len(each.endpoints) for each in telling.changed}
        for name in telling.removed:
            del self.sink[name]

    @invariant()
    def keys_are_those_put(self) -> None:
        """A list is compared with them."""
        assert self.picture.service_keys("") == {("shop", name) for name in self.services}
        assert self.picture.slice_keys("shop") == {("shop", name) for name in self.slices}

    def teardown(self) -> None:
        """All that is left to tell, told."""
        while self.picture.is_stirred:
            self.tell(2)
        chosen = [name for name, each in self.services.items() if each.annotation("lbcontrol.io/enabled") == "true"]
        ends = {name: {host for of, host in self.slices.values() if of == name} for name in chosen}
        assert self.sink == {f"{name}.shop": len(hosts) for name, hosts in ends.items()}


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
