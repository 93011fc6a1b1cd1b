"""``check``: one line for what is well, one for each finding, exit 4 with findings."""

from __future__ import annotations

import json
import re

import pytest

from tests.unit.app.cli.world import A, Cli, at, client


def well(cli: Cli) -> None:
    """Let everything be well."""
    cli.fleet.views = [client("client-7f2", at("greeter", 41))]


def lines(text: str) -> list[str]:
    """Return lines without what differs from run to run."""
    return [re.sub(r"unix:\S+|\d+ ms", "…", line) for line in text.splitlines()]


def test_check_says_what_is_well(cli: Cli) -> None:
    """Server with version and time, sources, clients; exit 0."""
    well(cli)
    ended = cli("check")
    assert (ended.code, lines(ended.out)) == (
        0,
        ["√ server … answers (0.1.0, …)", "√ 1 of 1 source synced", "√ 1 client, all acknowledged"],
    )


def test_check_names_each_finding_with_its_page(cli: Cli) -> None:
    """Errors first as the server sorts them; a total; exit 4."""
    well(cli)
    cli.fleet.break_source()
    ended = cli("check")
    assert (ended.code, lines(ended.out)) == (
        4,
        [
            "√ server … answers (0.1.0, …)",
            "√ 1 client, all acknowledged",
            "× LB204 source cluster: forbidden: list endpointslices in namespace shop   → lbcontrol help LB204",  # noqa: RUF001 - as printed
            "‼ LB305 client client-9c1: weights by locality reconnect on change   → lbcontrol help LB305",
            "2 findings (1 error, 1 warning)",
        ],
    )


def test_short_leaves_out_what_is_well(cli: Cli) -> None:
    """Nothing at all when all is well."""
    well(cli)
    assert cli("check", "-o", "short").out == ""
    cli.fleet.break_source()
    assert "√" not in cli("check", "-o", "short").out


def test_clients_that_stay_behind_are_a_finding(cli: Cli) -> None:
    """A client that rejected something is the server's to complain of, and hides that line only."""
    cli.fleet.views = [client("late", at("greeter", 41, 40, 60.0)), client("nack", cli.fleet.parked)]
    ended = cli("check")
    assert ended.code == 4
    assert "LB914 clients: 1 of 2 clients behind" in ended.out
    cli.fleet.views = [client("nack", cli.fleet.parked)]
    assert "acknowledged" not in cli("check").out


def test_moment_between_sent_and_acknowledged_is_no_finding(cli: Cli) -> None:
    """Every change has such a moment."""
    cli.fleet.views = [client("a", at("greeter", 41, 40, 0.3))]
    assert cli("check").code == 0


def test_unreachable_listeners_are_findings(cli: Cli) -> None:
    """Each by its own name; the command itself does not fail."""
    ended = cli("check", "--server", "unix:/nowhere/a", "--admin", "unix:/nowhere/b")
    assert ended.code == 4
    assert "LB910 clients' listener: no lbcontrol answers at unix:/nowhere/a" in ended.out
    assert "LB910 operators' listener: no lbcontrol answers at unix:/nowhere/b" in ended.out


def test_wait_tries_until_all_is_well(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that syncs later turns 4 into 0."""
    well(cli)
    cli.fleet.break_source()
    monkeypatch.setattr("time.sleep", lambda _: cli.fleet.found.clear())
    assert cli("check", "-o", "short").code == 4
    assert cli("check", "--wait", "60s").code == 0


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A host without a bootstrap."""
    monkeypatch.delenv("GRPC_XDS_BOOTSTRAP", raising=False)
    monkeypatch.delenv("GRPC_XDS_BOOTSTRAP_CONFIG", raising=False)
    return monkeypatch


def bootstrap(server: str, **node: object) -> str:
    """Return a bootstrap as text."""
    entry = {"server_uri": server, "channel_creds": [{"type": "insecure"}]}
    return json.dumps({"xds_servers": [entry], "node": node})


def test_client_env_accepts_what_bootstrap_prints(cli: Cli, host: pytest.MonkeyPatch) -> None:
    """Parsed, dialled, placed: exit 0."""
    printed = cli("bootstrap", "--region", "r1", "--zone", "a").out
    host.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", printed)
    ended = cli("check", "--client-env")
    assert (ended.code, lines(ended.out)) == (
        0,
        ["√ bootstrap from GRPC_XDS_BOOTSTRAP_CONFIG: 1 server", "√ server … can be reached", "√ zone a"],
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "LB916 this host: no xDS bootstrap"),
        ("{", "LB916 this host: the xDS bootstrap cannot be read"),
        ("[]", "LB916 this host: the xDS bootstrap is not an object"),
        ("{}", "LB916 this host: the xDS bootstrap names no server"),
        ('{"xds_servers": [{}]}', "LB916 this host: a server without server_uri"),
        ('{"xds_servers": [{"server_uri": "a:1"}]}', "LB916 this host: channel_creds without the type insecure or tls"),
        (bootstrap("unix:/nowhere", locality={"zone": "a"}), "LB910 this host: no lbcontrol answers at unix:/nowhere"),
    ],
)
def test_client_env_finds_what_a_client_would_stumble_over(
    cli: Cli, host: pytest.MonkeyPatch, text: str | None, said: str
) -> None:
    """Each is one finding with what to do about it."""
    if text is not None:
        host.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", text)
    ended = cli("check", "--client-env", "--timeout", "200ms", "-o", "short")
    assert ended.code == 4
    assert said in ended.out


def test_client_env_reads_the_file_first_and_misses_the_zone(cli: Cli, host: pytest.MonkeyPatch) -> None:
    """As gRPC does, the file wins over the text; a missing zone is a warning."""
    path = cli.folder / "bootstrap.json"
    path.write_text(bootstrap(cli.server_address, id="x"))
    host.setenv("GRPC_XDS_BOOTSTRAP", str(path))
    host.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", "{")
    ended = cli("check", "--client-env", "-o", "json")
    (finding,) = [item["finding"] for item in json.loads(ended.out)["items"] if item["finding"]]
    assert (ended.code, finding["code"], finding["severity"]) == (4, "LB917", "warning")
    assert A in cli("get", "greeter").out
