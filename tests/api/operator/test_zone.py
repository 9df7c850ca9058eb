"""From racks and Subnets to what name servers serve: the whole path, with name servers and agents that are fakes."""

import base64
import functools
import time
from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, DAEMON_SET, EVENT, NODE, RACK, REGION, STATEFUL_SET, SUBNET
from tests.api.operator.cluster import wait_for
from tests.api.operator.metrics import metric
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api

BOTH = {"_10_10_0_0__24": ("10.10.0.2", "10.10.0.3"), "_10_20_0_0__24": ("10.20.0.3",)}


@pytest.fixture(scope="module")
def site(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A region with two replicas and two racks, one of them on two subnets; tests leave it as they found it."""
    with open_rig(api_server, tmp_path_factory.mktemp("zone")) as rig:
        rig.operator.environment["LOG_LEVEL"] = "DEBUG"
        rig.operator.start()
        rig.apply_demo("region.yaml", "rack.yaml")
        for name, cidr in (("prov-a", "10.10.0.0/24"), ("prov-b", "10.20.0.0/24")):
            rig.apply("Subnet", name, {"cidr": cidr})
        for ordinal in (0, 1):
            rig.add_region_pod(ordinal)
        rig.add_rack(2, "10.10.0.2/24")
        rig.add_rack(3, "10.10.0.3/24", "10.20.0.3/24")
        rig.wait_zone(**BOTH)
        yield rig


def is_served(site: Rig, ttl_s: int) -> bool:
    return {pod.dns.zone.ttl_s for pod in site.pods.values()} == {ttl_s}


def test_metrics_tell_what_is_there_and_what_was_done(site: Rig) -> None:
    zone = site.published()
    assert zone is not None
    assert "\nrackrelay_leader 1.0\n" in site.operator.metrics()
    assert metric(site, "rackrelay_zone_serial") == zone.serial
    assert metric(site, "rackrelay_zone_servers", state="current") == 4
    assert metric(site, "rackrelay_racks", tier="healthy") == 2
    assert metric(site, "rackrelay_subnets", state="healthy") == 2
    assert metric(site, "rackrelay_subnet_fail_open", subnet="prov-b") is None
    assert (metric(site, "rackrelay_zone_publish_seconds_count") or 0) > 0
    assert (metric(site, "rackrelay_probes_total") or 0) > 0


@pytest.fixture(autouse=True)
def _left_as_found(site: Rig) -> Iterator[None]:
    yield
    site.wait_zone(**BOTH)


def test_everything_is_ready(site: Rig) -> None:
    site.wait_applied()
    region = site.wait_conditions(
        REGION,
        "demo",
        Ready=("True", "Applied"),
        ZonePublished=("True", "Published"),
        ConfigApplied=("True", "Applied"),
    )
    zone = site.published()
    assert zone is not None
    assert region["status"]["zone"] == {"serial": zone.serial, "names": 2, "digest": zone.digest}
    assert (region["status"]["replicas"], region["status"]["readyReplicas"]) == (2, 2)
    rack = site.wait_conditions(
        RACK, "demo", Ready=("True", "Applied"), RacksHealthy=("True", "AllHealthy"), ConfigApplied=("True", "Applied")
    )
    assert rack["status"]["racks"] == {"desired": 2, "healthy": 2, "degraded": 0, "drained": 0, "unreachable": 0}
    subnet = site.wait_conditions(SUBNET, "prov-a", Ready=("True", "Applied"), RacksHealthy=("True", "AllHealthy"))
    assert subnet["status"]["addresses"] == ["10.10.0.2", "10.10.0.3"]
    assert [r["name"] for r in subnet["status"]["racks"]] == ["rack2", "rack3"]
    assert subnet["status"]["clientSettings"]["dnsServers"] == ["10.10.0.2", "10.10.0.3"]


def test_rack_without_power_is_withdrawn_and_comes_back(site: Rig) -> None:
    """On subnet B it is the only one, so its address stays there, and the Subnet says so."""
    site.pods["rack3"].power_off()
    site.wait_zone(_10_10_0_0__24=("10.10.0.2",), _10_20_0_0__24=("10.20.0.3",))
    site.wait_conditions(SUBNET, "prov-a", RacksHealthy=("False", "Degraded"), Ready=("True", "Applied"))
    site.wait_conditions(SUBNET, "prov-b", RacksHealthy=("False", "FailOpen"), Ready=("True", "Applied"))
    assert metric(site, "rackrelay_subnet_fail_open", subnet="prov-b") == 1
    assert metric(site, "rackrelay_subnet_fail_open", subnet="prov-a") is None
    assert metric(site, "rackrelay_subnets", state="fail_open") == 1
    assert metric(site, "rackrelay_racks", tier="unreachable") == 1
    (event,) = (e for e in site.cluster.list_all(EVENT, site.namespace) if e["reason"] == "FailOpen")
    assert (event["type"], event["involvedObject"]["name"]) == ("Warning", "prov-b")
    assert "the name keeps its addresses. rack3: " in event["message"]
    rack = site.wait_conditions(RACK, "demo", RacksHealthy=("False", "Degraded"), Ready=("True", "Applied"))
    assert [(e["node"], e["reason"]) for e in rack["status"]["notHealthy"]] == [("rack3", "NoAnswer")]
    site.pods["rack3"].power_on()
    site.wait_zone(**BOTH)
    site.wait_conditions(SUBNET, "prov-b", RacksHealthy=("True", "AllHealthy"))
    assert metric(site, "rackrelay_subnet_fail_open", subnet="prov-b") is None
    assert metric(site, "rackrelay_subnets", state="fail_open") == 0


@pytest.mark.parametrize(
    ("milliseconds", "misses", "at_least_s", "at_most_s"), [(1000, 4, 2.5, 30.0), (100, 5, 0.0, 2.5)]
)
def test_region_says_how_soon_a_silent_rack_is_withdrawn(
    site: Rig, milliseconds: int, misses: int, at_least_s: float, at_most_s: float
) -> None:
    workloads = [site.wait_object(DAEMON_SET, "demo-rack"), site.wait_object(STATEFUL_SET, "demo-region")]
    detection = {"intervalMilliseconds": milliseconds, "misses": misses}
    site.cluster.patch(REGION, site.namespace, "demo", {"spec": {"failureDetection": detection}})
    site.wait_applied()
    begin = time.monotonic()
    site.pods["rack2"].power_off()
    site.wait_zone(_10_10_0_0__24=("10.10.0.3",), _10_20_0_0__24=("10.20.0.3",))
    assert at_least_s < time.monotonic() - begin < at_most_s
    site.pods["rack2"].power_on()
    site.cluster.patch(REGION, site.namespace, "demo", {"spec": {"failureDetection": None}})
    site.wait_zone(**BOTH)
    site.wait_applied()
    # Nothing was restarted for it.
    assert workloads == [site.wait_object(DAEMON_SET, "demo-rack"), site.wait_object(STATEFUL_SET, "demo-region")]


def test_failing_daemon_gives_way_to_healthy_racks(site: Rig) -> None:
    healthy = {name: {"ok": True, "message": ""} for name in ("named", "nginx", "rsyslogd", "squid")}
    site.pods["rack2"].report(daemons={**healthy, "squid": {"ok": False, "message": "no answer"}})
    site.wait_zone(_10_10_0_0__24=("10.10.0.3",), _10_20_0_0__24=("10.20.0.3",))
    rack = site.wait_conditions(RACK, "demo", RacksHealthy=("False", "Degraded"))
    assert rack["status"]["notHealthy"][0]["message"] == "squid: no answer"
    site.pods["rack2"].report(daemons=healthy)
    site.wait_zone(**BOTH)


def test_drained_node_gives_way(site: Rig) -> None:
    label = {"metadata": {"labels": {names.LABEL_DRAIN: "true"}}}
    site.cluster.patch(NODE, "", "rack2", label)
    site.wait_zone(_10_10_0_0__24=("10.10.0.3",), _10_20_0_0__24=("10.20.0.3",))
    site.cluster.patch(NODE, "", "rack2", {"metadata": {"labels": {names.LABEL_DRAIN: None}}})
    site.wait_zone(**BOTH)


def test_subnet_comes_and_goes(site: Rig) -> None:
    site.pods["rack2"].report(
        addresses=[
            {"interface": "prov0", "address": a, "prefix": 24, "carrier": True} for a in ("10.10.0.2", "10.30.0.2")
        ]
    )
    site.apply("Subnet", "more", {"cidr": "10.30.0.0/24"})
    site.wait_zone(**BOTH, _10_30_0_0__24=("10.30.0.2",))
    site.wait_conditions(SUBNET, "more", Ready=("True", "Applied"))
    site.cluster.delete(SUBNET, site.namespace, "more")
    site.wait_zone(**BOTH)


def test_relayed_subnet_follows_the_racks_of_the_one_that_serves_it(site: Rig) -> None:
    site.apply("Subnet", "vlan", {"cidr": "10.40.0.0/24", "servedBy": "prov-a"})
    site.wait_zone(**BOTH, _10_40_0_0__24=BOTH["_10_10_0_0__24"])
    found = site.wait_conditions(SUBNET, "vlan", Ready=("True", "Applied"), Relayed=("True", "ServedBy"))
    assert found["status"]["clientSettings"]["dnsServers"] == ["10.10.0.2", "10.10.0.3"]
    site.cluster.patch(NODE, "", "rack2", {"metadata": {"labels": {names.LABEL_DRAIN: "true"}}})
    left = {"_10_10_0_0__24": ("10.10.0.3",), "_10_20_0_0__24": ("10.20.0.3",)}
    site.wait_zone(**left, _10_40_0_0__24=("10.10.0.3",))
    site.wait_conditions(SUBNET, "vlan", RacksHealthy=("False", "Degraded"))
    site.cluster.patch(NODE, "", "rack2", {"metadata": {"labels": {names.LABEL_DRAIN: None}}})
    site.cluster.patch(SUBNET, site.namespace, "vlan", {"spec": {"servedBy": "nobody"}})
    site.wait_zone(**BOTH)
    site.wait_conditions(SUBNET, "vlan", Reconciling=("True", "ServingSubnetNotFound"))
    site.cluster.patch(SUBNET, site.namespace, "vlan", {"spec": {"servedBy": "prov-b"}})
    site.wait_zone(**BOTH, _10_40_0_0__24=("10.20.0.3",))
    site.cluster.delete(SUBNET, site.namespace, "vlan")
    site.wait_zone(**BOTH)


def test_unmanaged_subnet_has_no_name(site: Rig) -> None:
    site.cluster.patch(SUBNET, site.namespace, "prov-b", {"spec": {"managed": False}})
    site.wait_zone(_10_10_0_0__24=BOTH["_10_10_0_0__24"])
    found = site.wait_conditions(SUBNET, "prov-b", Ready=("True", "Applied"))
    assert found["status"]["clientSettings"]["metadataURL"] == "http://10.20.0.3:5248/MAAS/metadata/"
    site.cluster.patch(SUBNET, site.namespace, "prov-b", {"spec": {"managed": True}})
    site.wait_zone(**BOTH)


def test_another_ttl_reaches_every_server(site: Rig) -> None:
    for ttl_s in (10, 15):
        site.cluster.patch(REGION, site.namespace, "demo", {"spec": {"ttlSeconds": ttl_s}})
        wait_for("the TTL", functools.partial(is_served, site, ttl_s))


def test_server_that_lost_its_zone_is_repaired(site: Rig) -> None:
    before = site.published()
    dns = site.pods["demo-region-1"].dns
    dns.zone = type(dns.zone)(dns.zone.domain, 15, 0)
    site.wait_zone(**BOTH)
    assert site.published() == before


def test_all_servers_that_lost_their_zones_at_once_get_the_same_version_again(site: Rig) -> None:
    before = site.published()
    for pod in site.pods.values():
        pod.dns.zone = type(pod.dns.zone)(pod.dns.zone.domain, 15, 0)
    site.wait_zone(**BOTH)
    assert site.published() == before


def test_server_that_is_ahead_is_overtaken(site: Rig) -> None:
    dns = site.pods["demo-region-0"].dns
    ahead = dns.zone.serial + 40
    dns.zone = type(dns.zone)(dns.zone.domain, 15, ahead, {("odd", "A"): ("10.9.9.9",)})
    assert site.wait_zone(**BOTH).serial > ahead


def test_deleted_zone_is_made_again_with_a_greater_serial(site: Rig) -> None:
    before = site.published()
    assert before is not None
    site.cluster.delete(CONFIG_MAP, site.namespace, "demo-zone")
    assert site.wait_zone(**BOTH).serial > before.serial


def test_damaged_zone_is_made_again_with_a_greater_serial(site: Rig) -> None:
    before = site.published()
    assert before is not None
    site.cluster.patch(CONFIG_MAP, site.namespace, "demo-zone", {"data": {"zone": "not a zone"}})
    assert site.wait_zone(**BOTH).serial > before.serial


def test_edited_zone_is_put_right(site: Rig) -> None:
    zone = site.published()
    assert zone is not None
    text = site.wait_object(CONFIG_MAP, "demo-zone")["data"]["zone"]
    edited = {"zone": text.replace("10.10.0.2", "10.10.0.99")}
    site.cluster.patch(CONFIG_MAP, site.namespace, "demo-zone", {"data": edited})
    assert site.wait_zone(**BOTH).serial > zone.serial


def test_serials_only_grow_and_mean_one_content_each(site: Rig) -> None:
    """Over all that the tests above did; the fakes were set back by hand twice, which is no history of ours."""
    contents: dict[int, str] = {}
    for pod in site.pods.values():
        for zone in pod.dns.record.history[1:]:
            assert contents.setdefault(zone.serial, zone.digest) == zone.digest


def test_keys_are_never_logged_whatever_the_level(site: Rig) -> None:
    """Over all that the tests above did. A Secret of Kubernetes has them once more encoded."""
    log = site.operator.log
    assert " DEBUG " in log
    for secret in (site.tsig_key().secret.encode(), site.agent_key()):
        assert secret.decode() not in log
        assert base64.b64encode(secret).decode() not in log
