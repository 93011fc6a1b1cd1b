"""Every message about a wrong document: place, value, what is accepted, what to do. All of a file at once."""

from __future__ import annotations

import pytest

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.sources.documents import read_documents
from lbcontrol.sources.documents.refusals import REFUSED_EFFECT, accepted, quoted, shown

MAX = 4294967295


def refused(text: str) -> tuple[Finding, ...]:
    """Return the findings about a wrong file."""
    with pytest.raises(ConfigError) as caught:
        read_documents(text, path="lbcontrol.d/greeter.yaml")
    return tuple(caught.value.findings)


def service(keys: str) -> str:
    """Return a file with one service that has these keys beside its name."""
    return f"services:\n- name: greeter\n  {keys}\n"


def endpoint(keys: str) -> str:
    """Return a file with one endpoint of these keys."""
    return service(f"endpoints: [{{{keys}}}]")


def good(keys: str) -> str:
    """Return a file with one endpoint that has a right address and these keys."""
    return endpoint(f'address: "127.0.0.1:80", {keys}')


def policy(keys: str) -> str:
    """Return a file with a service that has this policy."""
    return service(f"policy: {{{keys}}}")


def document(keys: str) -> str:
    """Return a ServicePolicy whose spec has these keys beside its target."""
    head = "apiVersion: lbcontrol.io/v1alpha1\nkind: ServicePolicy\nmetadata: {name: p}\n"
    return f"{head}spec: {{targetRefs: [{{name: greeter}}], {keys}}}\n"


def test_message_has_the_shape_of_every_message() -> None:
    """The example of the interface description, line by line."""
    (finding,) = refused(service("policy:\n    loadBalancer:\n      type: RondRobin"))
    assert finding.lines() == [
        'error LB103: unknown loadBalancer.type "RondRobin"',
        "  at:     lbcontrol.d/greeter.yaml:5, greeter.policy.loadBalancer.type",
        "  why:    accepted: RoundRobin (did you mean this?), RingHash, LeastRequest, PickFirst, ClientWeighted",
        f"  effect: {REFUSED_EFFECT}",
    ]


Case = tuple[str, str, str, str, str, str]
"""File, code, what, key, why, do; the place is always on line 3."""
CASES: dict[str, Case] = {
    "unknown key": (
        good("wieght: 2"),
        "LB104",
        'unknown key "wieght"',
        "greeter.endpoints[0].wieght",
        "accepted: weight (did you mean this?), locality, priority, health",
        "correct it or take it out",
    ),
    "unknown key, all known ones written": (
        policy("locality: {prefer: Zone, far: 1}"),
        "LB104",
        'unknown key "far"',
        "greeter.policy.locality.far",
        "accepted: prefer",
        "correct it or take it out",
    ),
    "missing key": (
        endpoint("weight: 2"),
        "LB105",
        'the key "address" is missing',
        "greeter.endpoints[0].address",
        "IP:PORT or [IPv6]:PORT; host names are refused, because gRPC clients reject them in a list",
        "write address: …",
    ),
    "enum": (
        good("health: serving"),
        "LB103",
        'unknown health "serving"',
        "greeter.endpoints[0].health",
        "accepted: Serving (did you mean this?), Draining, NotServing, Unknown",
        "",
    ),
    "enum of one": (policy("locality: {prefer: Region}"), "LB103", 'unknown locality.prefer "Region"',
                    "greeter.policy.locality.prefer", "accepted: Zone", ""),
    "enum given a list": (good("health: [a]"), "LB103", "unknown health a list", "greeter.endpoints[0].health",
                          "accepted: Serving, Draining, NotServing, Unknown", ""),
    "text wanted": (good("locality: {zone: 7}"), "LB106", "locality.zone is 7", "greeter.endpoints[0].locality.zone",
                    "wanted: text", "put it in quotes"),
    "text wanted, got a boolean": (good("locality: {zone: true}"), "LB106", "locality.zone is true",
                                   "greeter.endpoints[0].locality.zone", "wanted: text", "put it in quotes"),
    "text wanted, got a mapping": (good("locality: {zone: {}}"), "LB106", "locality.zone is a mapping",
                                   "greeter.endpoints[0].locality.zone", "wanted: text", ""),
    "list wanted": (service("endpoints: {}"), "LB106", "endpoints is a mapping", "greeter.endpoints",
                    "wanted: a list", ""),
    "mapping wanted": (service("policy: []"), "LB106", "policy is a list", "greeter.policy",
                       "wanted: a mapping of keys to values", ""),
    "item of a list": (service("endpoints: [x]"), "LB106", 'an item of endpoints is "x"', "greeter.endpoints[0]",
                       "wanted: a mapping of keys to values", ""),
    "weight 0": (good("weight: 0"), "LB116", "weight is 0", "greeter.endpoints[0].weight",
                 f"accepted: a whole number from 1 to {MAX}",
                 "to send an endpoint no calls, write health: Draining"),
    "weight below 0": (good("weight: -3"), "LB116", "weight is -3", "greeter.endpoints[0].weight",
                       f"accepted: a whole number from 1 to {MAX}", ""),
    "weight too large": (good(f"weight: {MAX + 1}"), "LB116", f"weight is {MAX + 1}", "greeter.endpoints[0].weight",
                         f"accepted: a whole number from 1 to {MAX}", ""),
    "weight beyond 64 bits": (good(f"weight: 1{'0' * 300}"), "LB116", f"weight is 1{'0' * 78}…",
                              "greeter.endpoints[0].weight", f"accepted: a whole number from 1 to {MAX}", ""),
    "weight not whole": (good("weight: 1.5"), "LB116", "weight 1.5 is not whole", "greeter.endpoints[0].weight",
                         f"accepted: a whole number from 1 to {MAX}", ""),
    "weight in quotes": (good("weight: '2'"), "LB106", 'weight is "2"', "greeter.endpoints[0].weight",
                         "wanted: a whole number", "write it in decimal digits, without quotes or leading zeros"),
    "weight with a leading zero": (good("weight: 012"), "LB106", 'weight is "012"', "greeter.endpoints[0].weight",
                                   "wanted: a whole number",
                                   "write it in decimal digits, without quotes or leading zeros"),
    "weight true": (good("weight: true"), "LB106", "weight is true", "greeter.endpoints[0].weight",
                    "wanted: a whole number", ""),
    "priority": (good("priority: 128"), "LB116", "priority is 128", "greeter.endpoints[0].priority",
                 "accepted: a whole number from 0 to 127", ""),
    "no port": (endpoint("address: 127.0.0.1"), "LB115", '"127.0.0.1" has no port', "greeter.endpoints[0].address",
                "", 'write it as "IP:PORT" or "[IPv6]:PORT"'),
    "bad port": (endpoint("address: '127.0.0.1:65536'"), "LB115", '"127.0.0.1:65536" has port "65536"',
                 "greeter.endpoints[0].address", "a port is a number from 1 to 65535", ""),
    "port 0": (endpoint("address: '127.0.0.1:0'"), "LB115", '"127.0.0.1:0" has port "0"',
               "greeter.endpoints[0].address", "a port is a number from 1 to 65535", ""),
    "host name": (endpoint("address: 'db.local:80'"), "LB115", '"db.local:80" names a host',
                  "greeter.endpoints[0].address",
                  "endpoints are IP addresses, because gRPC clients reject host names in a list",
                  "write the address it resolves to"),
    "IPv6 without brackets": (endpoint("address: 'fe80::1:80'"), "LB115",
                              '"fe80::1:80" is an IPv6 address without brackets', "greeter.endpoints[0].address",
                              "", 'write "[fe80::1]:80"'),
    "zone index": (endpoint("address: '[fe80::1%eth0]:80'"), "LB115", '"[fe80::1%eth0]:80" is not a plain address',
                   "greeter.endpoints[0].address", "", 'write "IPv4:PORT" or "[IPv6]:PORT" without a zone index'),
    "unspecified address": (endpoint("address: '0.0.0.0:80'"), "LB115",
                            '"0.0.0.0:80" stands for every address of a machine', "greeter.endpoints[0].address",
                            "clients cannot dial it", "write the address of the backend"),
    "IPv4 in IPv6 form": (endpoint("address: '[::ffff:10.0.0.1]:80'"), "LB115",
                          '"[::ffff:10.0.0.1]:80" is an IPv4 address in another form', "greeter.endpoints[0].address",
                          "", 'write "10.0.0.1:80"'),
    "address not text": (endpoint("address: 80"), "LB106", "address is 80", "greeter.endpoints[0].address",
                         "wanted: text", 'write it as "IP:PORT" in quotes'),
    "address twice": (service('endpoints: [{address: "[::1]:80"}, {address: "[0::1]:80"}]'), "LB118",
                      "the address [::1]:80 stands twice in one service", "greeter.endpoints[1].address",
                      "endpoints[0] has it already", "remove one, or add the weights"),
    "weight sum": (service('endpoints: [{address: "[::1]:1", weight: 4294967295}, {address: "[::1]:2"}]'), "LB117",
                   f"the weights of priority 0 add up to {MAX + 1}", "greeter.endpoints[1].weight",
                   f"clients reject sums above {MAX}", "divide all of them by the same number"),
    "zone and priority": (good("priority: 0") + "  policy: {locality: {prefer: Zone}}\n", "LB122",
                          "policy.locality.prefer: Zone and endpoints[0].priority exclude each other",
                          "greeter.endpoints[0].priority",
                          "prefer: Zone makes the priorities, from each client's zone", "take one of the two out"),
    "duration without unit": (policy("timeout: 30"), "LB119", "30 is not a duration", "greeter.policy.timeout",
                              "a duration is text of whole numbers with units h, m, s, ms: 30s, 1m30s, 250ms",
                              "write 30s"),
    "duration in quotes": (policy('timeout: "30"'), "LB119", '"30" is not a duration', "greeter.policy.timeout",
                           "a duration is text of whole numbers with units h, m, s, ms: 30s, 1m30s, 250ms",
                           "write 30s"),
    "duration with a point": (policy("timeout: 1.5s"), "LB119", '"1.5s" is not a duration', "greeter.policy.timeout",
                              "a duration is text of whole numbers with units h, m, s, ms: 30s, 1m30s, 250ms",
                              "write it like 30s"),
    "duration of nothing": (policy("perClient: {connectTimeout: 0s}"), "LB119", '"0s" is out of range',
                            "greeter.policy.perClient.connectTimeout",
                            "a duration is above 0 and at most 365 days", "leave the key out for no limit"),
    "duration of years": (policy("timeout: 99999h"), "LB119", '"99999h" is out of range', "greeter.policy.timeout",
                          "a duration is above 0 and at most 365 days", "leave the key out for no limit"),
    "max requests": (policy("perClient: {maxRequests: 0}"), "LB116", "perClient.maxRequests is 0",
                     "greeter.policy.perClient.maxRequests", f"accepted: a whole number from 1 to {MAX}", ""),
    "percent": (policy("drop: [{category: shed, percent: 101}]"), "LB116", "percent is 101",
                "greeter.policy.drop[0].percent", "accepted: a number from 0 to 100", ""),
    "percent below 0": (policy("drop: [{category: shed, percent: -0.1}]"), "LB116", "percent is -0.1",
                        "greeter.policy.drop[0].percent", "accepted: a number from 0 to 100", ""),
    "percent of nan": (policy("drop: [{category: shed, percent: .nan}]"), "LB116", "percent is NaN",
                       "greeter.policy.drop[0].percent", "accepted: a number from 0 to 100", ""),
    "percent too fine": (policy("drop: [{category: shed, percent: 0.00001}]"), "LB116", "percent 1e-05 is too fine",
                         "greeter.policy.drop[0].percent", "clients are told millionths: at most 4 decimals",
                         "write 0"),
    "percent as text": (policy("drop: [{category: shed, percent: 5%}]"), "LB106", 'percent is "5%"',
                        "greeter.policy.drop[0].percent", "wanted: a number",
                        "write it in decimal digits, without quotes or leading zeros"),
    "category twice": (policy("drop: [{category: a, percent: 1}, {category: a, percent: 2}]"), "LB118",
                       'the category "a" stands twice', "greeter.policy.drop[1].category", "drop[0] has it already",
                       "remove one, or rename it"),
    "header": (policy("loadBalancer: {type: RingHash, ringHash: {header: X-User}}"), "LB123",
               '"X-User" is not a header that can be hashed', "greeter.policy.loadBalancer.ringHash.header",
               "header names are lower-case letters, digits, - _ . and do not end in -bin", "write x-user"),
    "binary header": (policy("loadBalancer: {type: RingHash, ringHash: {header: user-bin}}"), "LB123",
                      '"user-bin" is not a header that can be hashed', "greeter.policy.loadBalancer.ringHash.header",
                      "header names are lower-case letters, digits, - _ . and do not end in -bin", "write x-user"),
    "hash without RingHash": (policy("loadBalancer: {ringHash: {header: x}}"), "LB122",
                              "loadBalancer.ringHash and loadBalancer.type: RoundRobin exclude each other",
                              "greeter.policy.loadBalancer.ringHash", "ringHash says what the type RingHash hashes",
                              "write type: RingHash, or take it out"),
    "rule of weight 0": (service("rules: [{backendRefs: [{name: a, weight: 0}]}]"), "LB117",
                         "the weights of the rule add up to 0", "greeter.rules[0].backendRefs",
                         "clients reject such a rule", "give one backend a weight"),
    "rule too heavy": (service(f"rules: [{{backendRefs: [{{name: a, weight: {MAX}}}, {{name: b}}]}}]"), "LB117",
                       f"the weights of the rule add up to {MAX + 1}", "greeter.rules[0].backendRefs",
                       f"clients reject sums above {MAX}", "divide all of them by the same number"),
    "backend twice": (service("rules: [{backendRefs: [{name: a}, {name: a}]}]"), "LB118",
                      'the backend "a" stands twice', "greeter.rules[0].backendRefs[1].name",
                      "backendRefs[0] names it already", "remove one, or add the weights"),
    "rule without backends": (service("rules: [{backendRefs: []}]"), "LB105", "backendRefs is empty",
                              "greeter.rules[0].backendRefs", "at least one is needed", "add one"),
    "two rules": (service("rules: [{backendRefs: [{name: a}]}, {backendRefs: [{name: b}]}]"), "LB107",
                  "a second rule is not supported yet", "greeter.rules[1]",
                  "a rule without matches takes all calls, so the next one would have no effect", "take it out"),
    "empty name": ("\nservices:\n- name: ''", "LB120", "name has 0 bytes", "services[0].name",
                   "a name has 1 to 512 bytes", "choose another name"),
    "long name": (f"\nservices:\n- name: {'n' * 513}", "LB120", "name has 513 bytes", "services[0].name",
                  "a name has 1 to 512 bytes", "choose another name"),
    "name of long characters": (f"\nservices:\n- name: {'ü' * 257}", "LB120", "a name of 514 bytes",
                                "services[0].name", "a name has 1 to 512 bytes", "choose another name"),
    "name with a line break": ('\nservices:\n- name: "a\\nb"', "LB120",
                               '"a\\nb" contains the control character U+000A', "services[0].name", "", "remove it"),
    "long zone": (good(f"locality: {{zone: {'ü' * 257}}}"), "LB120", f'"{"ü" * 79}…" is too long',
                  "greeter.endpoints[0].locality.zone", "the limit is 512 bytes", ""),
    "too many aliases": (service(f"aliases: [{', '.join(f'a{n}' for n in range(1001))}]"), "LB125",
                         "aliases has 1001 items", "greeter.aliases", "the limit is 1000", "split it"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_wrong_value_is_told(case: str) -> None:
    """The finding names the place, the value, what is accepted and what to do; there is no second one."""
    text, code, what, key, why, do = CASES[case]
    (finding,) = refused(text)
    assert (finding.code, finding.what, finding.why, finding.do) == (code, what, why, do)
    assert finding.at == f"lbcontrol.d/greeter.yaml:3, {key}"
    assert finding.effect == REFUSED_EFFECT


def test_name_taken_in_one_file_is_told_at_the_second_place() -> None:
    """Names and aliases of a file are one set, over all its documents."""
    findings = refused("services:\n- {name: a, aliases: [b, b, a]}\n- name: b\n---\nservices:\n- name: a\n")
    said = [
        (each.code, each.what, each.at.partition(":")[2], each.why.rpartition(" stands at ")[2]) for each in findings
    ]
    assert said == [
        ("LB121", 'the name "b" is taken', "2, a.aliases[1]", "line 2"),
        ("LB121", 'the name "a" is taken', "2, a.aliases[2]", "line 2"),
        ("LB121", 'the name "b" is taken', "3, b.name", "line 2"),
        ("LB121", 'the name "a" is taken', "6, a.name", "line 2"),
    ]


def test_policy_document_taken_twice_is_told() -> None:
    """Namespace and name identify a document within a file."""
    (finding,) = refused(document("timeout: 1s") + "---\n" + document("timeout: 2s"))
    assert (finding.code, finding.what, finding.why) == (
        "LB121",
        'a second ServicePolicy "p"',
        "the first stands at line 3",
    )
    other = document("timeout: 2s").replace("name: p", "name: p, namespace: shop")
    assert len(read_documents(document("timeout: 1s") + "---\n" + other, path="f").policies) == 2


def test_zone_policy_of_a_document_excludes_priorities_of_its_target() -> None:
    """The two keys exclude each other also when they stand in two documents."""
    (finding,) = refused(document("locality: {prefer: Zone}") + "---\n" + good("priority: 1"))
    assert finding.what == 'locality.prefer: Zone and endpoints[].priority exclude each other, for service "greeter"'
    assert (finding.at, finding.why) == (
        "lbcontrol.d/greeter.yaml:4, spec.targetRefs[0].name",
        "priority is set at line 8",
    )


def test_objective_and_client_policy_exclude_each_other_by_name() -> None:
    """A load objective together with a picker of the client names both keys, beside what is not supported yet."""
    findings = refused(policy("weighting: {objective: Utilization}, loadBalancer: {type: LeastRequest}"))
    assert [(each.code, each.what) for each in findings] == [
        ("LB107", 'weighting.objective "Utilization" is not supported yet'),
        ("LB122", "weighting.objective: Utilization and loadBalancer.type: LeastRequest exclude each other"),
    ]


KINDS = {
    "GRPCRoute": ("kind: GRPCRoute", "LB107", "kind GRPCRoute is not supported yet", "kind"),
    "RoutePolicy": ("kind: RoutePolicy", "LB107", "kind RoutePolicy is not supported yet", "kind"),
    "server": ("kind: Server", "LB114", 'unknown kind "Server"', "kind"),
    "misspelt": ("kind: ServicPolicy", "LB114", 'unknown kind "ServicPolicy"', "kind"),
    "not text": ("kind: [a]", "LB114", "unknown kind a list", "kind"),
    "absent": ("apiVersion: v1", "LB105", 'the key "kind" is missing', "kind"),
    "neither": ("service: []", "LB114", 'the document has neither services: nor kind:, but "service"', "service"),
    "nothing": ("{}", "LB114", "the document is an empty mapping", ""),
    "services in a kind": (document("timeout: 1s") + "services: []", "LB104", 'unknown key "services"', "services"),
    "version": (
        document("timeout: 1s").replace("v1alpha1", "v1"),
        "LB103",
        'unknown apiVersion "lbcontrol.io/v1"',
        "apiVersion",
    ),
    "target": (document("timeout: 1s").replace("name: greeter", "name: g, kind: Pod"), "LB103",
               'unknown kind "Pod"', "spec.targetRefs[0].kind"),
    "group": (document("timeout: 1s").replace("name: greeter", "name: g, group: apps"), "LB103",
              'unknown group "apps"', "spec.targetRefs[0].group"),
    "no target": (document("timeout: 1s").replace("{name: greeter}", ""), "LB105", "spec.targetRefs is empty",
                  "spec.targetRefs"),
    "time": (document("timeout: 1s").replace("name: p", "name: p, creationTimestamp: 2026-11-24"), "LB119",
             '"2026-11-24" is not a time', "metadata.creationTimestamp"),
    "no time": (document("timeout: 1s").replace("name: p", "name: p, creationTimestamp: soon"), "LB119",
                '"soon" is not a time', "metadata.creationTimestamp"),
    "slash": (document("timeout: 1s").replace("name: p", "name: shop/p"), "LB120", '"shop/p" contains a slash',
              "metadata.name"),
}  # fmt: skip


@pytest.mark.parametrize("case", KINDS)
def test_wrong_document_is_told(case: str) -> None:
    """What is no document we read is refused, with the kinds and versions that are accepted."""
    text, code, what, key = KINDS[case]
    (finding,) = refused(text)
    assert (finding.code, finding.what) == (code, what)
    assert finding.at.partition(", ")[2] == key
    assert finding.why


def test_server_configuration_among_documents_is_sent_to_its_place() -> None:
    """Who puts lbcontrol.yaml into the directory is told where it belongs; who misspells, what was meant."""
    assert refused("kind: Server")[0].do == "give the server's own configuration to lbcontrol serve --config"
    assert refused("kind: ServicPolicy")[0].why == "accepted: ServicePolicy (did you mean this?)"


def test_all_errors_of_a_file_are_told_at_once_in_order() -> None:
    """One run shows everything: keys, values, and keys that contradict each other, each with its line."""
    findings = refused(
        "services:\n- name: a\n  endpoints:\n  - {address: x, weight: 0}\n  - {address: '[::1]:1'}\n"
        "  - {address: '[::1]:1', wait: 1}\n  policy: {timeout: 7}\n- {nam: b}\n---\nkind: GRPCRoute\n---\n"
        "kind: ServicePolicy\nmetadata: {}\n"
    )
    said = [f"{each.at.rpartition(':')[2]} {each.code}" for each in findings]
    assert said == [
        "4, a.endpoints[0].address LB115",
        "4, a.endpoints[0].weight LB116",
        "6, a.endpoints[2].wait LB104",
        "6, a.endpoints[2].address LB118",
        "7, a.policy.timeout LB119",
        "8, services[1].name LB105",
        "8, services[1].nam LB104",
        "10, kind LB107",
        "12, apiVersion LB105",
        "12, spec LB105",
        "13, metadata.name LB105",
    ]


def test_values_are_shown_short_and_harmless() -> None:
    """Escapes, bidirectional marks and long texts of a document cannot act in a terminal or fill it."""
    assert quoted('a\x1b[0m\u202e\x7f"') == '"a\\u001b[0m\\u202e\\u007f\\""'
    assert quoted("x" * 81) == '"' + "x" * 79 + '…"'
    values: list[object] = [True, None, 1.5, [], {}, "a"]
    assert [shown(value) for value in values] == [
        "true",
        "null",
        "1.5",
        "a list",
        "a mapping",
        '"a"',
    ]
    assert accepted(["a", "b"]) == "accepted: a, b"
