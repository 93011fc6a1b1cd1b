"""``--tls-*`` of verbs that ask a server, and what a client's bootstrap says of TLS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lbcontrol.app.cli.client_env import check_client
from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.options import Services
from lbcontrol.app.cli.proof import Proof, channel_to, proof_of


def test_flags_say_whom_to_believe_and_who_asks() -> None:
    """Nothing means plaintext; half of a pair is a usage error."""
    assert proof_of(Services()) is None
    assert proof_of(Services(tls_ca="ca", tls_server_name="x")) == Proof("ca", server_name="x")
    assert proof_of(Services(tls_cert="c", tls_key="k")) == Proof(cert="c", key="k")
    for options in (Services(tls_cert="c"), Services(tls_key="k")):
        with pytest.raises(CommandError, match="LB517"):
            proof_of(options)


def test_unix_sockets_are_dialled_in_plaintext(tmp_path: Path) -> None:
    """One set of flags does for a TCP listener with TLS and the operators' socket; a missing file is told."""
    proof = Proof(str(tmp_path / "none"))
    channel_to("unix:admin.sock", proof, options=()).close()
    channel_to("127.0.0.1:1", Proof(server_name="x"), options=()).close()
    with pytest.raises(CommandError, match="LB517"):
        channel_to("127.0.0.1:1", proof, options=())


def test_client_env_reads_channel_credentials_of_type_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first type that is known counts; files that are not there are what a client would stumble over."""
    files = {"ca_certificate_file": str(tmp_path / "none")}
    credentials = [{"type": "odd"}, {"type": "tls", "config": files}, {"type": "insecure"}]
    document = {"xds_servers": [{"server_uri": "127.0.0.1:1", "channel_creds": credentials}]}
    monkeypatch.delenv("GRPC_XDS_BOOTSTRAP", raising=False)
    monkeypatch.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", json.dumps(document))
    found = [each.finding.code for each in check_client(0.2) if each.finding]
    assert found == ["LB517", "LB917"]
