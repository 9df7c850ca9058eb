"""Resources and objects of the API as records, absent fields included."""

from dataclasses import replace
from ipaddress import ip_interface, ip_network
from typing import Any, TypeVar

import pytest

from rackrelay import names
from rackrelay.model.detection import FailureDetection
from rackrelay.model.meta import Meta
from rackrelay.model.observed import Node, parse_node, parse_pod
from rackrelay.model.parsing import Parsed
from rackrelay.model.pods import PodSettings, PodsSpec
from rackrelay.model.rack import RackController, parse_rack
from rackrelay.model.region import ExternalDNS, RegionController, parse_region
from rackrelay.model.subnet import Subnet, parse_subnet
from rackrelay.protocol.status_document import AgentStatus, RackInterface, parse_agent_status
from tests import gen

T = TypeVar("T")
META = Meta(gen.NAMESPACE, "demo", "uid-demo", 1)


def whole(parsed: Parsed[T]) -> T:
    """What was parsed, of which every field can be used."""
    assert not parsed.problem
    assert parsed.value is not None
    return parsed.value


def test_meta() -> None:
    metadata = {
        "namespace": "machines",
        "name": "demo",
        "uid": "7c1e",
        "generation": 4,
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "deletionTimestamp": "2026-01-02T03:04:06Z",
    }
    parsed = Meta.parse({"metadata": metadata})
    assert parsed == Meta("machines", "demo", "7c1e", 4, "2026-01-02T03:04:05Z", deleting=True)
    assert parsed.key == ("machines", "demo")


def test_region_with_every_field() -> None:
    spec = {
        "replicas": 5,
        "domain": "racks.example.com",
        "ttlSeconds": 30,
        "dns": {"forwarders": ["192.0.2.53", "2001:db8::53"], "dnssecValidation": "Disabled"},
        "http": {"port": 80},
        "tsig": {"rotation": 3},
        "failureDetection": {"intervalMilliseconds": 100, "misses": 5},
        "pods": {"image": "registry.example.com/dataplane:1"},
        "external": {
            "dns": {
                "addresses": ["192.0.2.54"],
                "primaries": ["192.0.2.55"],
                "port": 5353,
                "tsigSecretRef": {"name": "outside"},
            }
        },
    }
    assert whole(parse_region(gen.body("RegionController", spec=spec))) == RegionController(
        META, 5, "racks.example.com", 30, ("192.0.2.53", "2001:db8::53"), "Disabled", 80, 3,
        FailureDetection(interval_s=0.1, misses=5), PodSettings(image="registry.example.com/dataplane:1"),
        ExternalDNS(("192.0.2.54",), ("192.0.2.55",), "outside", 5353),
    )  # fmt: skip


def test_region_without_fields_has_the_defaults_of_its_definition() -> None:
    assert whole(parse_region(gen.body("RegionController"))) == RegionController(META)


def test_external_servers_are_all_primaries_unless_some_are_named() -> None:
    spec = {"external": {"dns": {"addresses": ["192.0.2.54", "192.0.2.55"], "tsigSecretRef": {"name": "outside"}}}}
    both = ("192.0.2.54", "192.0.2.55")
    assert whole(parse_region(gen.body("RegionController", spec=spec))).external_dns == ExternalDNS(
        both, both, "outside"
    )
    assert whole(parse_region(gen.body("RegionController", spec={"external": {}}))).external_dns is None


def test_rack_with_every_field() -> None:
    spec = {
        "regionRef": {"name": "demo"},
        "addresses": {"include": ["10.0.0.0/8"], "exclude": ["10.9.0.0/16", "fd00::/8"]},
        "drainedNodes": ["rack2", "rack1"],
        "pods": {"nodeSelector": {"a": "b"}},
    }
    assert whole(parse_rack(gen.body("RackController", spec=spec))) == RackController(
        META,
        "demo",
        (ip_network("10.0.0.0/8"),),
        (ip_network("10.9.0.0/16"), ip_network("fd00::/8")),
        frozenset({"rack1", "rack2"}),
        PodSettings(node_selector={"a": "b"}),
    )


def test_rack_without_fields() -> None:
    assert whole(parse_rack(gen.body("RackController"))) == RackController(META)


def test_subnet_with_every_field() -> None:
    spec = {
        "cidr": "fd00:10::/64",
        "regionRef": {"name": "demo"},
        "managed": False,
        "allowDNS": False,
        "allowProxy": False,
        "dnsServers": ["192.0.2.53"],
        "servedBy": "prov",
    }
    parsed = whole(parse_subnet(gen.body("Subnet", spec=spec)))
    assert parsed == Subnet(META, ip_network("fd00:10::/64"), "demo", False, False, False, ("192.0.2.53",), "prov")


def test_subnet_without_fields_allows_everything() -> None:
    assert whole(parse_subnet(gen.body("Subnet", spec={"cidr": "10.10.0.0/24"}))) == Subnet(
        META, ip_network("10.10.0.0/24")
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"managed": False}, False),
        ({"allow_dns": False}, False),
        ({"dns_servers": ("192.0.2.53",)}, False),
    ],
)
def test_machines_use_names_only_where_they_can_look_them_up(changes: dict[str, Any], expected: bool) -> None:
    assert gen.subnet("10.10.0.0/24", **changes).machines_use_names is expected


@pytest.mark.parametrize(
    ("parse", "spec", "problem", "rest"),
    [
        (parse_subnet, {"cidr": "10.10.0.5/24"}, "spec.cidr: value is not a valid IPv4 or IPv6 network", None),
        (parse_subnet, {}, "spec.cidr: field required", None),
        (
            parse_subnet,
            {"cidr": "10.10.0.0/24", "allowDNS": "no"},
            "spec.allowDNS: input should be a valid bool",
            {},
        ),
        (parse_subnet, {"cidr": "10.10.0.0/24", "regionRef": {}}, "spec.regionRef.name: field required", {}),
        (
            parse_rack,
            {"addresses": {"include": ["10.0.0.0/8", "ten"]}},
            "spec.addresses.include[1]: value is not a valid IPv4 or IPv6 network, got 'ten'",
            {"include": (ip_network("10.0.0.0/8"),)},
        ),
        (parse_region, {"replicas": 0}, "spec.replicas: input should be greater than or equal to 1, got 0", {}),
        (parse_region, {"replicas": 0, "ttlSeconds": "x"}, "spec.replicas: ", {}),
        (
            parse_region,
            {"external": {"dns": {"addresses": ["192.0.2.1"]}}},
            "spec.external.dns.tsigSecretRef: ",
            {},
        ),
        (parse_region, {"pods": {"nodeSelector": "all"}}, "spec.pods.nodeSelector: input should be a valid dict", {}),
    ],
)
def test_field_that_cannot_be_used_is_named_and_counts_as_absent(
    parse: Any, spec: dict[str, Any], problem: str, rest: dict[str, Any] | None
) -> None:
    """An older definition may have let it in, or somebody else's."""
    parsed = parse(gen.body("Any", spec=spec))
    assert parsed.problem.startswith(problem)
    if rest is None:
        assert parsed.value is None
        return
    without = whole(parse(gen.body("Any", spec={k: v for k, v in spec.items() if k == "cidr"})))
    assert parsed.value == replace(without, **rest)


def test_what_is_wrong_everywhere_is_another_document() -> None:
    parsed = parse_rack(gen.body("RackController", spec={"drainedNodes": list(range(100))}))
    assert parsed == Parsed(None, "spec.drainedNodes[0]: input should be a valid string, got 0")


def test_pod_settings_pass_everything_through() -> None:
    spec = {
        "image": "x:1",
        "imagePullSecrets": [{"name": "pull"}],
        "nodeSelector": {"a": "b"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "labels": {"l": "1"},
        "annotations": {"a": "2"},
        "resources": {"squid": {"limits": {"memory": "1Gi"}}},
    }
    assert PodsSpec.model_validate(spec).settings() == PodSettings(
        "x:1", ({"name": "pull"},), {"a": "b"}, ({"operator": "Exists"},), {"nodeAffinity": {}}, "high",
        {"l": "1"}, {"a": "2"}, {"squid": {"limits": {"memory": "1Gi"}}},
    )  # fmt: skip


def pod_body(**status: Any) -> gen.Manifest:
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    return {
        "metadata": {"namespace": gen.NAMESPACE, "name": "demo-rack-x", "uid": "uid-demo-rack-x", "labels": labels},
        "spec": {"nodeName": "rack1"},
        "status": {"podIP": "192.0.2.1", "conditions": [{"type": "Ready", "status": "True"}], **status},
    }


def test_pod_of_a_rack() -> None:
    assert parse_pod(pod_body()) == gen.pod("demo-rack-x")


def test_pod_of_a_rack_says_its_region_and_how_long_it_may_take_to_stop() -> None:
    body = pod_body()
    body["metadata"]["labels"][names.LABEL_REGION] = "north"
    body["spec"]["terminationGracePeriodSeconds"] = 30
    assert parse_pod(body) == gen.pod("demo-rack-x", region="north", grace_s=30)


def test_pod_of_a_region_belongs_to_its_region() -> None:
    body = pod_body()
    body["metadata"]["labels"] = {names.LABEL_COMPONENT: names.COMPONENT_REGION, names.LABEL_REGION: "north"}
    body["metadata"]["annotations"] = {names.ANNOTATION_CONFIG: "c0ffee"}
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    parsed = parse_pod(body)
    assert (parsed.component, parsed.owner) == (names.COMPONENT_REGION, "north")
    assert (parsed.config, parsed.deleting) == ("c0ffee", True)


def test_new_pod_has_nothing_yet() -> None:
    body = pod_body()
    del body["spec"], body["status"]
    assert parse_pod(body) == replace(gen.pod("demo-rack-x"), node="", address="", ready=False)


def waiting(reason: str, where: str = "containerStatuses") -> gen.Manifest:
    container = {"name": "squid", "image": "x:1", "state": {"waiting": {"reason": reason}}}
    return pod_body(**{where: [{"name": "named", "image": "x:1", "state": {"running": {}}}, container]})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(waiting("ImagePullBackOff"), ["image x:1 cannot be pulled", "pods.image"], id="image"),
        pytest.param(waiting("ErrImagePull", "initContainerStatuses"), ["image x:1"], id="image of an init container"),
        pytest.param(waiting("CrashLoopBackOff"), ["container squid does not start", "kubectl logs"], id="crash loop"),
        pytest.param(waiting("CreateContainerConfigError"), ["container squid"], id="missing Secret"),
        pytest.param(waiting("ContainerCreating"), [], id="passes by itself"),
        pytest.param(waiting("PodInitializing"), [], id="passes by itself, too"),
        pytest.param(
            pod_body(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]),
            ["cannot be scheduled: 0/3 nodes"],
            id="no node",
        ),
    ],
)
def test_problem_of_a_pod_is_told_in_words(body: gen.Manifest, words: list[str]) -> None:
    problem = parse_pod(body).problem
    assert bool(problem) is bool(words)
    for word in words:
        assert word in problem


@pytest.mark.parametrize(
    ("reasons", "crashing"),
    [
        pytest.param(["CrashLoopBackOff"], True, id="a container does not stay up"),
        pytest.param(["CrashLoopBackOff", "ErrImagePull"], False, id="an image tells more than a crash"),
        pytest.param(["CrashLoopBackOff", "CreateContainerConfigError"], False, id="so does a missing Secret"),
        pytest.param(["ContainerCreating"], False, id="nothing"),
    ],
)
def test_pod_that_crashes(reasons: list[str], crashing: bool) -> None:
    containers = [{"name": "squid", "image": "x:1", "state": {"waiting": {"reason": reason}}} for reason in reasons]
    found = parse_pod(pod_body(containerStatuses=containers))
    assert found.crashing is crashing
    assert reasons[-1] in found.problem or not found.problem


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, True, id="between two crashes"),
        pytest.param({"state": {"terminated": {"exitCode": 1}}}, True, id="it has just ended"),
        pytest.param({"restartCount": 1}, False, id="an accident"),
        pytest.param({"ready": True}, False, id="it is up again"),
        pytest.param({"state": {"waiting": {"reason": "PodInitializing"}}}, False, id="the node booted"),
    ],
)
def test_container_that_was_restarted_often_is_told_until_it_is_ready(changes: gen.Manifest, told: bool) -> None:
    """Otherwise a rack in a crash loop would be without a problem for moments, for which a rollout waits."""
    container = {"name": "squid", "image": "x:1", "state": {"running": {}}, "ready": False, "restartCount": 2}
    found = parse_pod(pod_body(containerStatuses=[{**container, **changes}]))
    assert found.crashing is told
    assert ("container squid was restarted and is not ready yet" in found.problem) is told


def test_node() -> None:
    body = {
        "metadata": {"name": "rack1", "labels": {"a": "b", names.LABEL_DRAIN: "true"}},
        "spec": {"podCIDRs": ["10.244.1.0/24", "fd01::/64"]},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "rack1"},
                {"type": "InternalIP", "address": "192.0.2.9"},
                {"type": "ExternalIP", "address": "192.0.2.10"},
            ],
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
        },
    }
    parsed = parse_node(body)
    labels = {"a": "b", names.LABEL_DRAIN: "true"}
    assert parsed == Node("rack1", labels, ("192.0.2.10", "192.0.2.9"), ("10.244.1.0/24", "fd01::/64"))
    assert parsed.drained


def test_node_without_anything() -> None:
    assert parse_node({"metadata": {"name": "rack1"}}) == Node("rack1")


@pytest.mark.parametrize(("value", "drained"), [("true", True), ("false", False), ("", False)])
def test_only_true_drains(value: str, drained: bool) -> None:
    assert Node("rack1", {names.LABEL_DRAIN: value}).drained is drained


def test_node_matches_when_it_has_every_label() -> None:
    node = Node("rack1", {"a": "1", "b": "2"})
    assert node.matches({"a": "1"})
    assert node.matches({})
    assert not node.matches({"a": "1", "b": "3"})
    assert not node.matches({"c": "1"})


DOCUMENT: dict[str, Any] = {
    "node": "rack1",
    "pod": "demo-rack-x",
    "addresses": [
        {"interface": "prov0", "address": "10.10.0.2", "prefix": 24, "carrier": True},
        {"interface": "prov0", "address": "fd00:10::2", "prefix": 64, "carrier": False},
    ],
    "daemons": {"squid": {"ok": False, "message": "no answer"}, "named": {"ok": True, "message": ""}},
    "regions": {"reachable": 1, "known": 2},
    "zone": {"serial": 7},
    "config": {"hash": "c0ffee", "applied": False, "rejected": {"named": "bad"}, "restartNeeded": ["squid"]},
}


def test_agent_status() -> None:
    assert parse_agent_status(DOCUMENT) == AgentStatus(
        interfaces=(
            RackInterface("prov0", ip_interface("10.10.0.2/24")),
            RackInterface("prov0", ip_interface("fd00:10::2/64"), carrier=False),
        ),
        failing={"squid": "no answer"},
        regions_reachable=1,
        regions_known=2,
        config_hash="c0ffee",
        config_applied=False,
        rejected={"named": "bad"},
        restart_needed=("squid",),
    )


def test_agent_of_a_region_knows_no_regions() -> None:
    parsed = parse_agent_status({**DOCUMENT, "regions": None})
    assert (parsed.regions_reachable, parsed.regions_known) == (0, 0)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"addresses": [{"interface": "a"}]}, id="address without an address"),
        pytest.param(
            {"addresses": [{"interface": "a", "address": "10.0.0.300", "prefix": 24, "carrier": True}]}, id="no address"
        ),
        pytest.param({"daemons": {"named": {}}}, id="daemon without a verdict"),
        pytest.param({"config": {}}, id="no hash"),
        pytest.param({"config": None}, id="no configuration"),
    ],
)
def test_other_document_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        parse_agent_status({**DOCUMENT, **damage})
