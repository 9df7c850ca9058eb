"""One Subnet's status: what its name answers, its machines' settings, what is wrong with it."""

from ipaddress import ip_address
from typing import Any

import pytest

from rackrelay.cluster.client import REGION, SUBNET
from rackrelay.controllers.resources.subnet import client_settings, reconcile_subnet, status_fields
from rackrelay.controllers.state.region_state import ZoneState
from rackrelay.model.subnet import Subnet
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.evidence import Judgement, Tier
from rackrelay.zone.rule import Answer, Member, RackView
from tests import gen
from tests.unit.controllers.site import Site

V4, V6 = gen.subnet("10.10.0.0/24", "prov"), gen.subnet("fd00:10::/64", "prov6")
ADDRESSES = ["10.10.0.2", "10.10.0.3"]
NAME, NAME6 = "10-10-0-0--24.maas-internal", "fd00-10----64.maas-internal"


def test_settings_with_names() -> None:
    assert client_settings(V4, gen.region(), ADDRESSES) == {
        "dnsServers": ADDRESSES,
        "metadataURL": f"http://{NAME}:5248/MAAS/metadata/",
        "aptProxyURL": f"http://{NAME}:8000/",
        "syslogServers": [f"{NAME}:5247"],
    }


def test_dns_servers_are_addresses_even_of_a_v6_subnet() -> None:
    settings = client_settings(V6, gen.region(), ["fd00:10::2"])
    assert settings["dnsServers"] == ["fd00:10::2"]
    assert settings["metadataURL"] == f"http://{NAME6}:5248/MAAS/metadata/"


@pytest.mark.parametrize(
    ("changes", "servers"),
    [
        ({"allow_dns": False}, []),
        ({"dns_servers": ("192.0.2.53",)}, ["192.0.2.53"]),
        ({"allow_dns": False, "dns_servers": ("192.0.2.53",)}, ["192.0.2.53"]),
        ({"managed": False}, ADDRESSES),
    ],
)
def test_machines_that_cannot_look_names_up_get_addresses(changes: dict[str, Any], servers: list[str]) -> None:
    assert client_settings(gen.subnet("10.10.0.0/24", **changes), gen.region(), ADDRESSES) == {
        "dnsServers": servers,
        "metadataURL": "http://10.10.0.2:5248/MAAS/metadata/",
        "aptProxyURL": "http://10.10.0.2:8000/",
        "syslogServers": ["10.10.0.2:5247", "10.10.0.3:5247"],
    }


def test_v6_addresses_stand_in_brackets() -> None:
    settings = client_settings(gen.subnet("fd00:10::/64", managed=False), gen.region(), ["fd00:10::2"])
    assert settings == {
        "dnsServers": ["fd00:10::2"],
        "metadataURL": "http://[fd00:10::2]:5248/MAAS/metadata/",
        "aptProxyURL": "http://[fd00:10::2]:8000/",
        "syslogServers": ["[fd00:10::2]:5247"],
    }


def test_no_proxy_where_it_is_not_allowed() -> None:
    assert "aptProxyURL" not in client_settings(gen.subnet("10.10.0.0/24", allow_proxy=False), gen.region(), ADDRESSES)


def test_no_rack_and_no_names_leave_little_to_say() -> None:
    assert client_settings(gen.subnet("10.10.0.0/24", managed=False), gen.region(), []) == {"dnsServers": []}


def test_status_lists_racks_with_their_tier() -> None:
    member = Member("rack1", (ip_address("10.10.0.2"),), Judgement(Tier.UNREACHABLE, "NoAnswer", "dead"))
    answer = Answer((ip_address("10.10.0.2"),), (member,), Tier.UNREACHABLE)
    fields = status_fields(V4, gen.region(), answer)
    assert fields["dnsName"] == NAME
    assert fields["addresses"] == ["10.10.0.2"]
    assert fields["racks"] == [{"name": "rack1", "addresses": ["10.10.0.2"], "tier": "Unreachable"}]


def test_status_shows_both_families_and_name_servers_of_its_own() -> None:
    fields = status_fields(V4, gen.region(), Answer((ip_address("10.10.0.2"),), twins=(ip_address("fd00:10::2"),)))
    assert fields["addresses"] == ["10.10.0.2", "fd00:10::2"]
    assert fields["clientSettings"]["dnsServers"] == ["10.10.0.2"]


def shares_shown(subnet: Subnet, *racks: RackView) -> list[int | None]:
    """`sharePercent` of each rack in the status."""
    answer = answer_subnets([subnet], racks)[subnet.cidr]
    return [rack.get("sharePercent") for rack in status_fields(subnet, gen.region(), answer)["racks"]]


def test_status_shows_the_share_of_each_rack() -> None:
    racks = [gen.view("a", "10.10.0.10"), gen.view("b", "10.10.0.40"), gen.view("c", "10.10.0.200")]
    dead = gen.view("d", "10.10.0.41", tier=Tier.UNREACHABLE)
    assert shares_shown(V4, *racks, dead) == [25, 25, 50, 0]


@pytest.mark.parametrize("changes", [{"managed": False}, {"allow_dns": False}, {"dns_servers": ("192.0.2.53",)}])
def test_no_shares_where_machines_do_not_look_the_name_up(changes: dict[str, Any]) -> None:
    racks = [gen.view("a", "10.10.0.2"), gen.view("b", "10.10.0.3")]
    assert shares_shown(V4, *racks) == [50, 50]
    assert shares_shown(gen.subnet("10.10.0.0/24", **changes), *racks) == [None, None]


def test_no_shares_where_the_name_has_one_rack() -> None:
    assert shares_shown(V4, gen.view("a", "10.10.0.2", "10.10.0.3")) == [None]
    assert shares_shown(V4, gen.view("a", "10.10.0.2"), gen.view("b", "10.10.0.3", tier=Tier.UNREACHABLE)) == [None] * 2


def test_unmanaged_subnet_has_no_name() -> None:
    assert "dnsName" not in status_fields(gen.subnet("10.10.0.0/24", managed=False), gen.region(), Answer())


def add(site: Site, name: str, cidr: str = "10.10.0.0/24", **spec: Any) -> None:
    created = {"creationTimestamp": f"2026-01-01T00:00:0{len(site.inventory.subnets(gen.NAMESPACE))}Z"}
    site.put(SUBNET, gen.body("Subnet", name, {"cidr": cidr, **spec}, **created))


def decide(site: Site, *racks: RackView) -> None:
    """The zone has been decided from these racks."""
    (region,) = site.inventory.regions(gen.NAMESPACE)
    subnets = site.inventory.subnets_of(region)
    site.regions[region.meta.key].zone = ZoneState(gen.zone(1), answer_subnets(subnets, racks), {})


async def reconcile(site: Site, name: str = "prov") -> dict[str, tuple[str, str]]:
    (subnet,) = [s for s in site.inventory.subnets(gen.NAMESPACE) if s.meta.name == name]
    await reconcile_subnet(site, subnet)
    return site.conditions("Subnet", name)


async def test_subnet_without_region_waits(site: Site) -> None:
    add(site, "prov")
    found = await reconcile(site)
    assert found == {"Ready": ("False", "RegionNotFound"), "Reconciling": ("True", "RegionNotFound")}


async def test_subnet_that_could_belong_to_two_regions_is_stalled(site: Site) -> None:
    add(site, "prov")
    for name in ("north", "south"):
        site.put(REGION, gen.body("RegionController", name))
    assert (await reconcile(site))["Stalled"] == ("True", "AmbiguousRegion")


async def test_younger_duplicate_is_stalled_and_names_the_other(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    add(site, "first")
    add(site, "second")
    decide(site)
    assert (await reconcile(site, "second"))["Stalled"] == ("True", "DuplicateCIDR")
    (ready,) = [c for c in site.status("Subnet", "second")["conditions"] if c["type"] == "Ready"]
    assert "first" in ready["message"]
    assert "Stalled" not in await reconcile(site, "first")


async def test_status_waits_for_the_zone(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    add(site, "prov")
    assert await reconcile(site) == {}


@pytest.mark.parametrize(
    ("racks", "expected"),
    [
        pytest.param(
            [gen.view("a", "10.10.0.2"), gen.view("b", "10.10.0.3")],
            {"Ready": ("True", "Applied"), "RacksHealthy": ("True", "AllHealthy"), "Balanced": ("True", "Even")},
            id="all well",
        ),
        pytest.param(
            [gen.view("a", "10.10.0.2"), gen.view("b", "10.10.0.3", tier=Tier.UNREACHABLE)],
            {"Ready": ("True", "Applied"), "RacksHealthy": ("False", "Degraded")},
            id="a dead rack does not change Ready",
        ),
        pytest.param(
            [gen.view("a", "10.10.0.2", tier=Tier.UNREACHABLE)],
            {"Ready": ("True", "Applied"), "RacksHealthy": ("False", "FailOpen")},
            id="fail open is never silent",
        ),
        pytest.param(
            [gen.view("a", "10.10.0.2", tier=Tier.DRAINED), gen.view("b", "10.10.0.3", tier=Tier.UNREACHABLE)],
            {"Ready": ("True", "Applied"), "RacksHealthy": ("False", "AllDrained")},
            id="nor is it when only drained racks are left",
        ),
        pytest.param(
            [gen.view("a", "10.10.0.2", tier=Tier.LEAVING)],
            {"Ready": ("True", "Applied"), "RacksHealthy": ("False", "AllDrained")},
            id="or only one that is leaving",
        ),
        pytest.param(
            [gen.view(f"rack{i}", f"10.10.0.{i}") for i in (10, 20, 40, 200)],
            {"Ready": ("True", "Applied"), "RacksHealthy": ("True", "AllHealthy"), "Balanced": ("False", "Uneven")},
            id="racks whose addresses pin machines do not change Ready",
        ),
        pytest.param(
            [gen.view("a", "192.0.2.2")],
            {
                "Ready": ("False", "NoRackAddress"),
                "Reconciling": ("True", "NoRackAddress"),
                "RacksHealthy": ("False", "NoRacks"),
            },
            id="no rack here yet",
        ),
    ],
)
async def test_conditions(site: Site, racks: list[RackView], expected: dict[str, tuple[str, str]]) -> None:
    site.put(REGION, gen.body("RegionController"))
    add(site, "prov")
    decide(site, *racks)
    assert await reconcile(site) == expected


async def test_losing_the_last_address_does_not_change_ready(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    add(site, "prov")
    decide(site, gen.view("a", "10.10.0.2"))
    await reconcile(site)
    decide(site)
    assert await reconcile(site) == {"Ready": ("True", "Applied"), "RacksHealthy": ("False", "NoRacks")}


async def test_nested_subnets_say_so(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    add(site, "outer", "10.10.0.0/16")
    add(site, "prov")
    decide(site, gen.view("a", "10.10.0.2"))
    assert (await reconcile(site))["Overlapping"] == ("True", "NestedSubnets")


async def test_address_that_two_racks_have_counts_once_and_is_told(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    add(site, "prov")
    decide(site, gen.view("a", "10.10.0.2"), gen.view("b", "10.10.0.2", "10.10.0.3"))
    assert (await reconcile(site))["AddressConflict"] == ("True", "SameAddress")
    status = site.status("Subnet", "prov")
    (conflict,) = [c for c in status["conditions"] if c["type"] == "AddressConflict"]
    assert conflict["message"].startswith("10.10.0.2 is on a and on b: it counts for a alone")
    assert [(r["name"], r["addresses"]) for r in status["racks"]] == [("a", ["10.10.0.2"]), ("b", ["10.10.0.3"])]
    decide(site, gen.view("a", "10.10.0.2"), gen.view("b", "10.10.0.3"))
    assert "AddressConflict" not in await reconcile(site)


async def test_unmanaged_subnet_is_ready_without_racks(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    add(site, "prov", managed=False)
    decide(site)
    assert (await reconcile(site))["Ready"] == ("True", "Applied")


async def test_second_look_writes_nothing(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    add(site, "prov")
    decide(site, gen.view("a", "10.10.0.2"))
    await reconcile(site)
    site.client.writes.clear()
    await reconcile(site)
    assert site.client.writes == []


def relay(site: Site, served_by: str = "core", *racks: RackView) -> None:
    """Subnet prov is relayed; Subnet core has the racks."""
    site.put(REGION, gen.body("RegionController"))
    add(site, "core", "10.20.0.0/24")
    add(site, "prov", servedBy=served_by)
    decide(site, *racks)


@pytest.mark.parametrize(
    ("racks", "expected"),
    [
        pytest.param(
            [gen.view("a", "10.20.0.10"), gen.view("b", "10.20.0.200"), gen.view("c", "10.20.0.40")],
            {
                "Ready": ("True", "Applied"),
                "RacksHealthy": ("True", "AllHealthy"),
                "Relayed": ("True", "ServedBy"),
            },
            id="all well, and no rack is nearer than another",
        ),
        pytest.param(
            [gen.view("a", "10.20.0.2", tier=Tier.UNREACHABLE)],
            {"Ready": ("True", "Applied"), "RacksHealthy": ("False", "FailOpen"), "Relayed": ("True", "ServedBy")},
            id="fails open as the other one does",
        ),
        pytest.param(
            [gen.view("a", "10.20.0.2", "10.10.0.2")],
            {
                "Ready": ("True", "Applied"),
                "RacksHealthy": ("True", "AllHealthy"),
                "Relayed": ("True", "AddressesIgnored"),
            },
            id="a rack has an address of its own here",
        ),
        pytest.param(
            [gen.view("a", "192.0.2.2")],
            {
                "Ready": ("False", "NoRackAddress"),
                "Reconciling": ("True", "NoRackAddress"),
                "RacksHealthy": ("False", "NoRacks"),
                "Relayed": ("True", "ServedBy"),
            },
            id="no rack there yet",
        ),
    ],
)
async def test_conditions_of_a_relayed_subnet(
    site: Site, racks: list[RackView], expected: dict[str, tuple[str, str]]
) -> None:
    relay(site, "core", *racks)
    assert await reconcile(site) == expected


async def test_machines_of_a_relayed_subnet_get_the_serving_racks_and_their_own_name(site: Site) -> None:
    relay(site, "core", gen.view("a", "10.20.0.2"), gen.view("b", "10.20.0.3"))
    await reconcile(site)
    status = site.status("Subnet", "prov")
    assert (status["dnsName"], status["addresses"]) == (NAME, ["10.20.0.2", "10.20.0.3"])
    assert [(r["name"], r["addresses"], "sharePercent" in r) for r in status["racks"]] == [
        ("a", ["10.20.0.2"], False),
        ("b", ["10.20.0.3"], False),
    ]
    assert status["clientSettings"] == client_settings(V4, gen.region(), ["10.20.0.2", "10.20.0.3"])


async def test_relayed_subnet_without_a_serving_one_says_which_to_create(site: Site) -> None:
    relay(site, "missing")
    found = await reconcile(site)
    assert found == {"Ready": ("False", "ServingSubnetNotFound"), "Reconciling": ("True", "ServingSubnetNotFound")}
    add(site, "missing", "10.40.0.0/24")
    decide(site, gen.view("a", "10.40.0.2"))
    assert (await reconcile(site))["Ready"] == ("True", "Applied")


async def test_chain_of_relayed_subnets_is_stalled(site: Site) -> None:
    relay(site, "link")
    add(site, "link", "10.40.0.0/24", servedBy="core")
    assert (await reconcile(site))["Stalled"] == ("True", "CannotServe")
    (ready,) = [c for c in site.status("Subnet", "prov")["conditions"] if c["type"] == "Ready"]
    assert "spec.servedBy" in ready["message"]
    assert "core" in ready["message"]
