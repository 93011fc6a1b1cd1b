"""Lists of messages are joined from their parts."""

from __future__ import annotations

import pytest
from lookaside.api.lbcontrol.v1 import admin_service_pb2 as pb
from lookaside.api.lbcontrol.v1 import explain_pb2

from lbcontrol.frontends.status import repeated


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 300, 20_000, 3_000_000])
def test_joined_parts_are_the_list(size: int) -> None:
    """Whatever the length of a part: it stands before it in one to four bytes."""
    parts = [explain_pb2.Explanation(service="x" * size), explain_pb2.Explanation(address="10.0.0.1:80")]
    joined = b"".join(
        repeated(pb.ExplainResponse.EXPLANATIONS_FIELD_NUMBER, each.SerializeToString()) for each in parts
    )
    assert pb.ExplainResponse.FromString(joined) == pb.ExplainResponse(explanations=parts)
