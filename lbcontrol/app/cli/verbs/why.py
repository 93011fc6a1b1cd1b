"""``why``: why an endpoint has its weight, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lookaside.api.lbcontrol.v1 import admin_service_pb2 as pb
from lookaside.api.lbcontrol.v1 import explain_pb2, status_pb2

from lbcontrol.app.cli import words
from lbcontrol.app.cli.calls import admin_of, finding_of
from lbcontrol.app.cli.choices import Format
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.messages import plain
from lbcontrol.app.cli.options import Why
from lbcontrol.app.cli.screen import document_text, envelope
from lbcontrol.model.text import printable

INDENT = "  "
"""Of a step."""


def why(options: Why) -> int:
    """Print the explanation of one endpoint, or of all."""
    request = pb.ExplainRequest(service=options.service, address=options.endpoint, client_id=options.client)
    with admin_of(options) as admin:
        found = admin.call(request, pb.ExplainResponse).explanations
        told = pb.GetClientResponse()
        if options.client:
            asked = pb.GetClientRequest(client_id=options.client, service=options.service)
            told = admin.call(asked, pb.GetClientResponse)
    if options.output in (Format.JSON, Format.YAML):
        document = envelope("ExplanationList", [plain(each) for each in found])
        print(document_text(document, json_form=options.output is Format.JSON))
    elif options.output is Format.NAME:
        print("\n".join(each.address for each in found))
    else:
        print(_text(found, told, of=options.client))
    return Exit.DONE


def _text(found: Sequence[explain_pb2.Explanation], told: pb.GetClientResponse, *, of: str) -> str:
    """Return a block for each endpoint; how the client stands belongs to the only block, or has its own."""
    blocks = [[*_lines(each, told, of=of)] for each in found]
    standing = [line for service in told.services for line in _standing(service.subscription)]
    if len(blocks) == 1:
        blocks[0] += standing
    elif standing:
        blocks.append([of, *standing])
    return "\n\n".join("\n".join(map(printable, block)) for block in blocks)


def _lines(each: explain_pb2.Explanation, told: pb.GetClientResponse, *, of: str) -> Iterator[str]:
    yield _head(each, whose=f"the calls of {of}" if of else "all calls" if each.cohort == "all" else each.cohort)
    for step in each.steps:
        yield _step(step.rule, step.reason)
    yield _step("revision", f"{each.mark.revision}")
    for service in told.services:
        for endpoint in service.endpoints:
            if endpoint.address == each.address and endpoint.sent_as:
                client = told.client
                yield _step("sent as", f"{endpoint.sent_as} ({client.kind} {client.version}, carrier {client.carrier})")


def _head(each: explain_pb2.Explanation, *, whose: str) -> str:
    if not each.HasField("weight") or not each.share:
        return f"{each.address} gets none of {whose}"
    total = round(each.weight / each.share)
    return f"{each.address} gets {words.share(each.share)} of {whose}: weight {each.weight} of {total}"


def _standing(subscription: status_pb2.ClientSubscription) -> Iterator[str]:
    """Say what the client was sent, and what it thinks of that."""
    sent = f"revision {subscription.sent.revision}" if subscription.HasField("sent") else "nothing yet"
    acknowledged = f"{subscription.acknowledged.revision}" if subscription.HasField("acknowledged") else "nothing"
    yield _step("sent", f"{sent}, acknowledged {acknowledged}")
    if subscription.HasField("rejection"):
        yield from (INDENT + line for line in finding_of(subscription.rejection).lines())


def _step(name: str, text: str) -> str:
    return f"{INDENT}{name:<10} {text}"
