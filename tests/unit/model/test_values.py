"""Values of the model: texts of people in, canonical values out."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import pytest

from lbcontrol.model.assignment import Mark
from lbcontrol.model.endpoints import Address, Endpoint, Health, Locality
from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import Payload, Resource, ResourceType


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("10.0.0.7:65535", "10.0.0.7:65535"),
        ("[2001:DB8:0:0::1]:50051", "[2001:db8::1]:50051"),
        ("127.0.0.1:0080", "127.0.0.1:80"),
    ],
)
def test_address_is_kept_in_canonical_form(text: str, canonical: str) -> None:
    """Two spellings of one address are one value, and its text can be read again."""
    assert str(Address.parse(text)) == canonical
    assert Address.parse(canonical) == Address.parse(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("127.0.0.1", "has no port"),
        (":50051", "has no port"),
        ("127.0.0.1:0", 'has port "0"'),
        ("127.0.0.1:65536", 'has port "65536"'),
        ("127.0.0.1:000080", "a port is a number from 1 to 65535"),
        ("127.0.0.1:٣", "a port is a number"),
        ("2001:db8::1:50051", "without brackets"),
        ("backend.local:50051", "names a host"),
        ("[127.0.0.1]:50051", "is not a plain address"),
        ("[fe80::1%eth0]:50051", "without a zone index"),
    ],
)
def test_address_is_refused_with_what_to_write(text: str, part: str) -> None:
    """Every wrong address is quoted back with what is wrong about it."""
    with pytest.raises(ValueError, match=r"write|number") as refused:
        Address.parse(text)
    assert part in str(refused.value)
    assert f'"{text}"' in str(refused.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("0.0.0.0:80", "stands for every address"),
        ("[::]:80", "stands for every address"),
        ("224.0.0.1:80", "is a multicast address"),
        ("[ff02::1]:80", "is a multicast address"),
        ("255.255.255.255:80", "reserved or broadcast"),
        ("240.0.0.1:80", "reserved or broadcast"),
        ("[::ffff:10.0.0.1]:80", 'write "10.0.0.1:80"'),
        ("10.0.0.1", "has no port"),
    ],
)
def test_address_that_nobody_can_dial_is_refused(text: str, part: str) -> None:
    """Clients would dial themselves, a whole network, or one backend twice."""
    with pytest.raises(ValueError, match="write") as refused:
        Address.parse_dialable(text)
    assert part in str(refused.value)


@pytest.mark.parametrize("text", ["127.0.0.1:80", "[::1]:80", "169.254.1.1:80", "[fe80::1]:80", "[2001:db8::1]:80"])
def test_address_of_a_backend_can_be_dialled(text: str) -> None:
    """Loopback and link-local addresses are backends on a laptop and between machines on one wire."""
    assert Address.parse_dialable(text) == Address.parse(text)


@pytest.mark.parametrize("read", [Address.parse, Address.parse_dialable])
def test_address_is_read_once_while_somebody_holds_it(read: Callable[[str], Address]) -> None:
    """A list that is read again gives the same objects; backends that are gone leave nothing behind."""
    address = read("10.9.8.7:6")
    assert read("10.9.8.7:6") is address
    held = weakref.ref(address)
    del address
    assert held() is None
    assert str(read("10.9.8.7:6")) == "10.9.8.7:6"


def test_health_says_who_takes_new_work() -> None:
    """Nobody's word counts as serving, draining does not."""
    assert [health.name for health in Health if health.takes_new_work] == ["SERVING", "UNKNOWN"]


def test_locality_is_written_as_a_path() -> None:
    """Empty parts at the end are left out; nothing at all is a dash."""
    assert [str(Locality("r", "z", "s")), str(Locality("r")), str(Locality())] == ["r/z/s", "r", "-"]
    assert [Locality("r").has_zone, Locality("r", "z").has_zone] == [False, True]


def test_endpoint_serves_with_weight_one_unless_told() -> None:
    """What a source does not say: weight 1, first priority, serving."""
    endpoint = Endpoint(Address.parse("127.0.0.1:1"))
    assert (endpoint.weight, endpoint.priority, endpoint.health) == (1, 0, Health.SERVING)


def test_mark_orders_by_owner_first() -> None:
    """A new owner's first revision is newer than any of the old owner's."""
    assert str(Mark(3, 7)) == "3.7"
    assert max(Mark(1, 900), Mark(2, 0)) == Mark(2, 0)


def test_error_needs_a_finding() -> None:
    """An error without a finding would tell nobody anything; with several, all are in its text."""
    with pytest.raises(ValueError, match="at least one finding"):
        ConfigError()
    error = ConfigError(Finding("LB101", "first", do="edit it"), Finding("LB102", "second"))
    assert error.finding.code == "LB101"
    assert str(error) == "error LB101: first\n  do:     edit it\nerror LB102: second"


def test_payload_joins_once() -> None:
    """The whole message is body and tail; without a tail it is the shared body itself."""
    payload = Payload(b"body", b"tail")
    assert payload.message is payload.message == b"bodytail"
    assert payload.size == 8
    alone = b"body"
    assert Payload(alone).message is alone


def test_resource_shows_its_size_instead_of_its_bytes() -> None:
    """A log line with a resource in it stays short."""
    kind = next(iter(ResourceType))
    resource = Resource(kind, "greeter", version="v1", body=b"x" * 1000, form=None)
    assert (resource.type, resource.body, resource.form) == (kind, b"x" * 1000, None)
    assert repr(resource).endswith("'greeter', v1, 1000 bytes)")
