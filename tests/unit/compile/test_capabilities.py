"""The table of clients and what is read from it."""

from __future__ import annotations

import dataclasses

import pytest

from lbcontrol.engine.compile import Capabilities, capabilities_for, kind_of
from lbcontrol.engine.compile.capabilities import version_of
from lbcontrol.engine.compile.client_table import POLICY, TABLE, Carrier, Row
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.services import LoadBalancerType
from scripts.client_table import PAGE, main, page


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        ("gRPC C-core linux Python", "grpc-cpp"),
        ("gRPC C-core windows C++", "grpc-cpp"),
        ("grpc-c/58.0.0", "grpc-cpp"),
        ("gRPC Go", "grpc-go"),
        ("gRPC Java", "grpc-java"),
        ("gRPC Node Pure JS", "grpc-node"),
        ("grpc-node-js/1.14", "grpc-node"),
        ("envoy", "envoy"),
        ("lookaside", "lookaside"),
        ("", "unknown"),
        ("pingora", "unknown"),
    ],
)
def test_kind_is_read_from_the_user_agent(user_agent: str, kind: str) -> None:
    """The names that stock clients send are told apart; a name we do not know is not guessed."""
    assert kind_of(user_agent) == kind


@pytest.mark.parametrize(
    ("kind", "text", "version"),
    [
        ("grpc-cpp", "C-core 58.0.0 Python 1.85.3", (1, 85, 3)),
        ("grpc-cpp", "C-core 32.0.0", (1, 55)),
        ("grpc-go", "1.85.0", (1, 85, 0)),
        ("grpc-node", "1.14.1", (1, 14, 1)),
        ("envoy", "", ()),
        ("grpc-go", "unreleased", ()),
        ("grpc-go", "9" * 20 + ".1", (999999999, 1)),
        ("grpc-go", "9" * 300 + ".1", ()),
    ],
)
def test_version_is_read_from_what_clients_send(kind: str, text: str, version: tuple[int, ...]) -> None:
    """The release people know counts; what cannot be read is older than all; numbers are bounded."""
    assert version_of(kind, text) == version


def test_rows_cover_versions_from_since_to_before_until() -> None:
    """A row with both ends speaks about what lies between, the first included."""
    row = Row("x", "carrier", Carrier.REAL, "", since=(1, 2), until=(2,))
    assert [row.covers(one) for one in ((), (1, 1), (1, 2), (1, 9, 9), (2,), (2, 0))] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]


def test_rows_name_fields_and_say_why() -> None:
    """Every feature is a field with a value of its type, and every row has a proof."""
    types: dict[str, type] = {name: type(value) for name, value in dataclasses.asdict(Capabilities()).items()}
    types[POLICY] = LoadBalancerType
    assert [row for row in TABLE if not isinstance(row.value, types[row.feature]) or not row.proof] == []
    pairs = [(row.kind, row.feature, row.since, str(row.value)) for row in TABLE]
    assert len(set(pairs)) == len(pairs)


def test_policies_grow_with_the_version() -> None:
    """An old or unreadable client is only asked for round robin, which every one has."""
    found = [
        len(capabilities_for(ClientProfile(kind="grpc-go", version=one)).policies) for one in ("", "1.56", "1.85.0")
    ]
    assert found == [1, 4, 5]


def test_kind_without_rows_is_served_as_unknown() -> None:
    """A kind outside the table gets what an unknown client gets: locality weights, and the truth about absence."""
    found = capabilities_for(ClientProfile(kind="grpc-rust", version="1.0"))
    assert found == capabilities_for(ClientProfile()) == Capabilities()


@pytest.mark.parametrize(
    ("value", "carrier"), [("real", Carrier.REAL), ("classes", Carrier.LOCALITY), ("x", Carrier.LOCALITY)]
)
def test_metadata_chooses_the_carrier(value: str, carrier: Carrier) -> None:
    """A client may ask for another carrier; what is not on offer is as if it had said nothing."""
    plain = capabilities_for(ClientProfile(kind="grpc-go", version="1.85.0"))
    asked = capabilities_for(ClientProfile(kind="grpc-go", version="1.85.0", metadata={"lbcontrol.carrier": value}))
    assert asked == dataclasses.replace(plain, carrier=carrier)


def test_kinds_differ_as_measured() -> None:
    """Node reconnects on every list, so it hears less often; Envoy takes no listeners; gRPC gets stand-ins."""
    found = {kind: capabilities_for(ClientProfile(kind=kind)) for kind in ("grpc-node", "envoy", "grpc-cpp", "unknown")}
    assert (found["grpc-node"].weight_delay, found["grpc-node"].restart_jitter) == (1.0, 5.0)
    assert (found["grpc-cpp"].weight_delay, found["grpc-cpp"].restart_jitter) == (0.0, 0.0)
    assert [one.listeners for one in found.values()] == [True, False, True, True]
    assert [one.stand_in for one in found.values()] == [True, False, True, False]


def test_page_of_clients_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """The reference page says what the table says; running the script writes it anew."""
    assert PAGE.read_text() == page()
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == "clients: clients.md is up to date\n"
