"""``bootstrap``: what a stock client reads, alone, as shell lines, and for Envoy."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from lbcontrol.app.cli import run
from lbcontrol.app.cli.verbs.bootstrap import TOKENS, VARIABLE

WHERE = ("--region", "r1", "--zone", "a", "--sub-zone", "rack7", "--node-id", "x", "--server", "127.0.0.1:18000")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the verb and return what it printed."""
    assert run(["bootstrap", *arguments]) == 0
    return capsys.readouterr().out


def test_json_is_what_grpc_reads(capsys: pytest.CaptureFixture[str]) -> None:
    """Server, plaintext credentials, node with its whole locality (gRFC A27)."""
    assert json.loads(printed(capsys, *WHERE)) == {
        "xds_servers": [
            {
                "server_uri": "127.0.0.1:18000",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }
        ],
        "node": {"id": "x", "locality": {"region": "r1", "zone": "a", "sub_zone": "rack7"}},
    }


def test_node_has_a_name_of_its_own_and_no_invented_place(capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs name two clients; a place that was not given is an empty one, which grpc-js wants to see."""
    first, second = (json.loads(printed(capsys))["node"] for _ in range(2))
    assert list(first) == ["id", "locality"]
    assert first["locality"] == {}
    assert first != second


@pytest.mark.parametrize("language", ["python", "go", "node", "java", "cpp"])
def test_shell_lines_survive_the_shell(capsys: pytest.CaptureFixture[str], language: str) -> None:
    """What the shell's eval makes of the lines is the document, even with quotes in a name."""
    text = printed(capsys, "--language", language, "--node-id", 'it\'s "x" $HOME', "--region", "r 1")
    script = f'eval "$1"; printf %s "${VARIABLE}"'
    done = subprocess.run(["sh", "-c", script, "sh", text], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["node"] == {"id": 'it\'s "x" $HOME', "locality": {"region": "r 1"}}
    assert shlex.split(text, comments=True)[0] == "export"


@pytest.mark.parametrize(("flags", "api"), [((), "GRPC"), (("--delta",), "DELTA_GRPC")])
def test_envoy_gets_a_whole_bootstrap(capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], api: str) -> None:
    """A static listener, routes of the service over ADS, HTTP/2 to the server."""
    document = json.loads(printed(capsys, "greeter", "--language", "envoy", "--listen", "[::1]:80", *WHERE, *flags))
    (listener,), (control,) = document["static_resources"]["listeners"], document["static_resources"]["clusters"]
    (chain,) = listener["filter_chains"]
    assert document["dynamic_resources"]["ads_config"]["api_type"] == api
    assert document["dynamic_resources"]["cds_config"] == {"ads": {}, "resource_api_version": "V3"}
    assert listener["address"]["socket_address"] == {"address": "::1", "port_value": 80}
    assert chain["filters"][0]["typed_config"]["rds"]["route_config_name"] == "greeter"
    (options,) = control["typed_extension_protocol_options"].values()
    assert options["explicit_http_config"] == {"http2_protocol_options": {}}
    (server,) = control["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert server["endpoint"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 18000}
    assert document["node"]["locality"]["zone"] == "a"


def test_envoy_reaches_a_unix_socket(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the server listens on one."""
    document = json.loads(printed(capsys, "greeter", "--language", "envoy", "--server", "unix:/run/lb.sock"))
    (control,) = document["static_resources"]["clusters"]
    (server,) = control["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert server["endpoint"]["address"] == {"pipe": {"path": "/run/lb.sock"}}


@pytest.mark.parametrize("arguments", [[], ["greeter", "--listen", "nowhere"], ["greeter", "--server", "host:x"]])
def test_envoy_needs_a_service_and_addresses(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing is a usage error."""
    assert run(["bootstrap", "--language", "envoy", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error LB918: ")


def test_tls_flags_become_channel_credentials(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Type tls with whole paths (gRFC A65); grpc-js-xds, which knows none, is refused."""
    flags = ("--tls-ca", f"{tmp_path}/ca", "--tls-cert", f"{tmp_path}/c", "--tls-key", f"{tmp_path}/k")
    (server,) = json.loads(printed(capsys, *WHERE, *flags))["xds_servers"]
    assert server["channel_creds"] == [
        {
            "type": "tls",
            "config": {
                "ca_certificate_file": f"{tmp_path}/ca",
                "certificate_file": f"{tmp_path}/c",
                "private_key_file": f"{tmp_path}/k",
            },
        }
    ]
    assert run(["bootstrap", "--tls-cert", "c"]) == 2


@pytest.mark.parametrize(
    "flags",
    [
        ("node", "--tls-ca", "/ca"),
        ("java", "--tls-ca", "/ca", "--tls-cert", "/c", "--tls-key", "/k"),
        ("java", "--tls-ca", "/ca", "--token-file", "/token"),
    ],
)
def test_what_a_library_would_leave_out_is_refused(flags: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody believes that a client proves itself which does not."""
    assert run(["bootstrap", "--language", *flags]) == 2
    assert capsys.readouterr().err.startswith("error LB918: grpc-")


def test_java_is_told_where_its_trust_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    """The authority in the document is for other libraries; this one asks its JVM."""
    assert "javax.net.ssl.trustStore" in printed(capsys, "--language", "java", "--tls-ca", "/ca")
    assert "trustStore" not in printed(capsys, "--language", "java")


@pytest.mark.parametrize(
    ("flags", "kind", "name"),
    [((), "IP_ADDRESS", "127.0.0.1"), (("--tls-server-name", "lb.example"), "DNS", "lb.example")],
)
def test_envoy_checks_the_name_of_this_server(
    capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], kind: str, name: str
) -> None:
    """Trust without a name would accept every certificate of the authority."""
    text = printed(capsys, "greeter", "--language", "envoy", *WHERE, "--tls-ca", "/ca", *flags)
    (control,) = json.loads(text)["static_resources"]["clusters"]
    common = control["transport_socket"]["typed_config"]["common_tls_context"]
    assert common["validation_context"] == {
        "trusted_ca": {"filename": "/ca"},
        "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": name}}],
    }
    assert common["alpn_protocols"] == ["h2"]
    assert "tls_certificates" not in common


def test_token_file_becomes_call_credentials(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A whole path (gRFC A97), and in shell lines the switch without which libraries leave the token out."""
    flags = ("--tls-ca", f"{tmp_path}/ca", "--token-file", f"{tmp_path}/token")
    (server,) = json.loads(printed(capsys, *WHERE, *flags))["xds_servers"]
    assert server["call_creds"] == [{"type": "jwt_token_file", "config": {"jwt_token_file": f"{tmp_path}/token"}}]
    assert f"export {TOKENS}=true" in printed(capsys, "--language", "go", *flags).splitlines()


@pytest.mark.parametrize("arguments", [(), ("greeter", "--language", "envoy", "--tls-ca", "/ca")])
def test_token_file_without_tls_or_for_envoy_is_refused(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody shows a token to the network, or believes that one is sent where none is."""
    assert run(["bootstrap", "--token-file", "/token", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error LB918: ")
