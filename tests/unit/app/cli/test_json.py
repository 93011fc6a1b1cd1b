"""JSON and YAML: one outer shape, every field of every kind fixed by a schema."""

from __future__ import annotations

import json

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from tests.unit.app.cli.world import A, Cli


class Strict(BaseModel):
    """Exactly these fields, exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Mark(Strict):
    """A mark."""

    epoch: int
    revision: int


class Place(Strict):
    """A locality."""

    region: str
    zone: str
    sub_zone: str


class Finding(Strict):
    """A finding."""

    code: str
    what: str
    at: str
    why: str
    effect: str
    do: str
    severity: str


class Service(Strict):
    """One service of `services`."""

    name: str
    aliases: list[str]
    mark: Mark
    serving: int
    endpoints: int
    clients: int
    stale_sources: list[str]
    age_seconds: float | None


class Assigned(Strict):
    """One endpoint of an assignment."""

    address: str
    weight: int
    health: str
    locality: Place
    priority: int


class Policy(Strict):
    """What the client's picker does."""

    picker: str
    hash_header: str
    timeout_seconds: float | None
    connect_timeout_seconds: float | None
    max_requests: int
    drops: list[dict[str, object]]


class Assignment(Strict):
    """Of `get` and `watch`."""

    service: str
    mark: Mark
    version: str
    endpoints: list[Assigned]
    policy: Policy


class Subscription(Strict):
    """How a client stands towards a service."""

    service: str
    sent: Mark | None
    acknowledged: Mark | None
    behind_seconds: float | None
    state: str
    rejection: Finding | None


class Sent(Strict):
    """One endpoint as a client was told of it."""

    address: str
    health: str
    weight: int
    share: float
    locality: Place
    priority: int
    sent_as: str


class SentService(Strict):
    """Of `get --as`."""

    client: str
    service: str
    subscription: Subscription
    endpoints: list[Sent]
    resources: list[dict[str, str]]


class Client(Strict):
    """Of `clients`."""

    id: str
    kind: str
    version: str
    protocol: str
    address: str
    identity: str
    locality: Place
    carrier: str
    stream_age_seconds: float
    subscriptions: list[Subscription]


class Source(Strict):
    """Of `sources`."""

    name: str
    type: str
    up: bool
    synced: bool
    complete: bool
    last_event_at: str | None
    services: int
    endpoints: int
    findings: list[Finding]
    stale_for_seconds: float | None


class Step(Strict):
    """One step of an explanation."""

    rule: str
    input: dict[str, object]
    output: dict[str, object]
    reason: str
    event_id: str


class Explanation(Strict):
    """Of `why`."""

    service: str
    address: str
    cohort: str
    mark: Mark
    steps: list[Step]
    weight: int | None
    share: float


class Effect(Strict):
    """What a change does."""

    dry_run: bool
    clients: int
    share_before: float
    share_after: float
    mark: Mark | None
    durable: bool
    warnings: list[Finding]
    undo: str


class Override(Strict):
    """What an operator said."""

    service: str
    address: str
    kind: str
    weight: int
    reason: str
    by: str
    created_at: str
    expires_at: str | None


class Change(Strict):
    """Of `drain` and `weight`."""

    override: Override | None
    effect: Effect


class Undone(Strict):
    """Of `undrain`."""

    effect: Effect


class Checked(Strict):
    """Of `check`."""

    ok: bool
    subject: str
    finding: Finding | None


CASES = [
    ("services", "ServiceList", Service),
    ("get greeter", "AssignmentList", Assignment),
    ("get greeter --as client-7f2", "SentServiceList", SentService),
    ("clients", "ClientList", Client),
    ("sources", "SourceList", Source),
    (f"why greeter {A} --client client-7f2", "ExplanationList", Explanation),
    (f"drain greeter {A} --expires-after 10m", "ChangeList", Change),
    (f"weight greeter {A} 5 --dry-run", "ChangeList", Change),
    ("check", "CheckList", Checked),
]


@pytest.mark.parametrize(("command", "kind", "model"), CASES)
def test_json_keeps_its_schema(cli: Cli, command: str, kind: str, model: type[Strict]) -> None:
    """The outer object names its version and kind, and each item has exactly the fields of its schema."""
    cli.fleet.break_source()
    document = json.loads(cli(*command.split(), "-o", "json").out)
    assert (document["apiVersion"], document["kind"], list(document)) == (
        "lbcontrol.io/v1",
        kind,
        ["apiVersion", "kind", "items"],
    )
    assert document["items"]
    TypeAdapter(list[model]).validate_python(document["items"])  # type: ignore[valid-type] # a type made at run time


def test_undrain_keeps_its_schema(cli: Cli) -> None:
    """What was taken back has an effect and no override."""
    cli("drain", "greeter", A)
    document = json.loads(cli("undrain", "greeter", A, "-o", "json").out)
    TypeAdapter(list[Undone]).validate_python(document["items"])


@pytest.mark.parametrize("command", ["services", "clients", "why greeter", "check", f"weight greeter {A} 3"])
def test_yaml_says_the_same_as_json(cli: Cli, command: str) -> None:
    """The two forms hold equal values; only the time of an answer differs from run to run."""
    as_json = json.loads(cli(*command.split(), "-o", "json").out)
    as_yaml = yaml.safe_load(cli(*command.split(), "-o", "yaml").out)
    if command == "check":
        assert [item.keys() for item in as_yaml["items"]] == [item.keys() for item in as_json["items"]]
    elif not command.startswith("weight"):
        assert as_yaml == as_json
    assert as_yaml["kind"] == as_json["kind"]


def test_get_as_yaml_prints_the_services_documents(cli: Cli) -> None:
    """Without a client, YAML is what a file would say, so that it can be put back into one."""
    assert cli("get", "greeter", "-o", "yaml").out == "services:\n- name: greeter\n"
    assert yaml.safe_load(cli("get", "greeter", "--as", "client-7f2", "-o", "yaml").out)["kind"] == "SentServiceList"
