"""Metrics exist from the start and are rendered in Prometheus' format."""

from __future__ import annotations

from lbcontrol.runtime.metrics import Metrics


def test_closed_series_exist_with_zero_from_the_start() -> None:
    """A dashboard sees 0, not a gap, before anything has happened."""
    text = Metrics().render().decode()
    assert 'lbcontrol_pushes_total{protocol="xds",type="endpoints"} 0.0' in text
    assert 'lbcontrol_acks_total{verdict="nack"} 0.0' in text
    assert "_created" not in text


def test_two_processes_in_one_interpreter_do_not_share_families() -> None:
    """A registry of our own: two servers in a test count apart."""
    one, other = Metrics(), Metrics()
    one.push_bytes_total.inc(5)
    assert "lbcontrol_push_bytes_total 5.0" in one.render().decode()
    assert "lbcontrol_push_bytes_total 0.0" in other.render().decode()
