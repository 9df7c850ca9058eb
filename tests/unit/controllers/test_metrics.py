"""What the metrics say of what the operator knows and has done."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from lab.paths import REPOSITORY
from rackrelay import names
from rackrelay.cluster.client import NODE, POD, RACK, REGION, SUBNET
from rackrelay.controllers import work
from rackrelay.controllers.metrics import build_metrics
from rackrelay.controllers.publish.external import external_keys
from rackrelay.controllers.publish.zone import decide_names
from rackrelay.controllers.state.region_state import ExternalState, ZoneState
from rackrelay.controllers.work import Key
from rackrelay.errors import NotLeading
from rackrelay.model.region import RegionController
from rackrelay.nameservers.external import Trouble
from rackrelay.nameservers.push import Outcome
from tests import gen
from tests.unit.controllers.site import Site

DOCUMENT = REPOSITORY / "docs" / "metrics.md"
DEMO = (gen.NAMESPACE, "demo")
OF_DEMO = {"region_namespace": gen.NAMESPACE, "region": "demo"}


@pytest.fixture
def laid_out(site: Site) -> Site:
    """Rack 1 is well, 2 has an old zone, 3 is silent and alone on 10.30.0.0/24; the published zone has serial 7."""
    site.put(REGION, gen.body("RegionController"))
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
    for third in (10, 20, 30):
        site.put(SUBNET, gen.body("Subnet", f"prov-{third}", {"cidr": f"10.{third}.0.0/24"}))
    for number in (1, 2, 3):
        add_rack(site, number)
    site.track()
    see(site, 1, "10.10.0.1/24")
    see(site, 2, "10.10.0.2/24", serial=6)
    see(site, 3, "10.10.0.3/24", "10.30.0.3/24", misses=3)
    site.regions[DEMO].zone = ZoneState(gen.zone(7), decide_names(site, region(site)).answers, {})
    return site


def add_rack(site: Site, number: int) -> None:
    name, labels = f"rack{number}", {names.LABEL_COMPONENT: "rack", names.LABEL_RACK_CONTROLLER: "demo"}
    site.put(NODE, {"metadata": {"name": name, "labels": gen.RACK_NODES}})
    metadata = {"namespace": gen.NAMESPACE, "name": f"demo-{name}", "uid": name, "labels": labels}
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": name}, "status": {"podIP": f"192.0.2.{number}"}})


def see(site: Site, number: int, *interfaces: str, serial: int = 7, misses: int = 0) -> None:
    site.see(f"rack{number}", *interfaces, serial=serial)
    site.lose(f"rack{number}", misses)


def region(site: Site) -> RegionController:
    return site.inventory.regions(gen.NAMESPACE)[0]


def samples(site: Site) -> list[Sample]:
    """All that Prometheus reads."""
    text = build_metrics(site).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def values(site: Site, name: str) -> dict[str, float]:
    """Labels besides the region's, as text -> value, of one metric."""
    found = {}
    for sample in samples(site):
        if sample.name == name:
            labels = {k: v for k, v in sample.labels.items() if k not in OF_DEMO}
            assert {k: v for k, v in sample.labels.items() if k in OF_DEMO} in ({}, OF_DEMO)
            found[",".join(f'{k}="{v}"' for k, v in labels.items())] = sample.value
    return found


def test_state_of_a_region(laid_out: Site) -> None:
    assert values(laid_out, "rackrelay_racks") == {
        'tier="healthy"': 2,
        'tier="degraded"': 0,
        'tier="drained"': 0,
        'tier="unreachable"': 1,
    }
    assert values(laid_out, "rackrelay_zone_serial") == {"": 7}
    assert values(laid_out, "rackrelay_zone_servers") == {
        'state="current"': 1,
        'state="outdated"': 1,
        'state="unreachable"': 1,
    }
    assert values(laid_out, "rackrelay_subnets") == {
        'state="healthy"': 0,
        'state="degraded"': 1,
        'state="all_drained"': 0,
        'state="fail_open"': 1,
        'state="no_racks"': 1,
    }
    assert values(laid_out, "rackrelay_subnet_fail_open") == {'subnet="prov-30"': 1}


def test_server_with_other_content_by_the_right_serial_is_out_of_date(laid_out: Site) -> None:
    (server, *_) = laid_out.inventory.servers_of(region(laid_out))
    state = laid_out.zone_state()
    laid_out.regions[DEMO].zone = ZoneState(state.zone, state.answers, {server: Outcome.DRIFTED})
    assert values(laid_out, "rackrelay_zone_servers")['state="outdated"'] == 2


def test_who_does_not_lead_says_so_and_nothing_of_the_regions(laid_out: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert values(laid_out, "rackrelay_leader") == {"": 1}

    def refuse() -> float:
        raise NotLeading("another leads")

    monkeypatch.setattr(laid_out.client, "fence", refuse)
    assert values(laid_out, "rackrelay_leader") == {"": 0}
    for name in ("rackrelay_racks", "rackrelay_subnets", "rackrelay_zone_serial", "rackrelay_subnet_fail_open"):
        assert values(laid_out, name) == {}
    assert values(laid_out, "rackrelay_probes_total") == {"": 0}


def test_deeds_are_counted(laid_out: Site) -> None:
    laid_out.tally.probes[DEMO] += 4
    laid_out.tally.misses[DEMO] += 3
    laid_out.tally.updated([Outcome.UPDATED, Outcome.UPDATED, Outcome.REFUSED])
    laid_out.tally.published(DEMO, 0.03)
    assert values(laid_out, "rackrelay_probes_total") == {"": 4}
    assert values(laid_out, "rackrelay_probe_misses_total") == {"": 3}
    updates = values(laid_out, "rackrelay_zone_updates_total")
    assert (updates['outcome="updated"'], updates['outcome="refused"'], len(updates)) == (2, 1, len(Outcome))
    buckets = values(laid_out, "rackrelay_zone_publish_seconds_bucket")
    assert (buckets['le="0.025"'], buckets['le="0.05"'], buckets['le="+Inf"']) == (0, 1, 1)
    assert values(laid_out, "rackrelay_zone_publish_seconds_count") == {"": 1}


def publish_outside(site: Site) -> None:
    """The zone is published at two servers that rackrelay does not run; one refuses the key."""
    servers = {"addresses": ["192.0.2.53", "192.0.2.54"], "tsigSecretRef": {"name": "outside"}}
    site.put(REGION, gen.body("RegionController", "demo", {"external": {"dns": servers}}))
    first, second = external_keys(region(site))
    seen = site.regions[DEMO].external
    seen[first.server] = ExternalState()
    seen[second.server] = ExternalState(trouble=Trouble("KeyRefused", "refuses the key"))


def test_servers_of_somebody_else(laid_out: Site) -> None:
    assert values(laid_out, "rackrelay_external_dns_servers") == {}
    publish_outside(laid_out)
    assert values(laid_out, "rackrelay_external_dns_servers") == {'state="published"': 1, 'state="failing"': 1}


def test_queue(laid_out: Site) -> None:
    laid_out.waiting()
    laid_out.queue.add(Key(work.ZONE, *DEMO))
    laid_out.queue.add(Key(work.EXTERNAL, *DEMO, "192.0.2.53"))
    waiting = values(laid_out, "rackrelay_queue_waiting")
    assert (waiting['kind="zone"'], waiting['kind="external"'], waiting['kind="rack"']) == (1, 1, 0)
    assert set(values(laid_out, "rackrelay_queue_failing").values()) == {0}


def test_number_of_series_does_not_grow_with_subnets(laid_out: Site) -> None:
    def series() -> int:
        return len(samples(laid_out))

    before = series()
    for number in range(200):
        laid_out.put(SUBNET, gen.body("Subnet", f"more-{number}", {"cidr": f"10.40.{number}.0/24"}))
    laid_out.regions[DEMO].zone = ZoneState(gen.zone(7), decide_names(laid_out, region(laid_out)).answers, {})
    assert series() == before


def test_exactly_the_metrics_that_there_are_are_documented(laid_out: Site) -> None:
    laid_out.tally.published(DEMO, 0.03)
    publish_outside(laid_out)
    text = build_metrics(laid_out).decode()
    exported = set(re.findall(r"^# TYPE (rackrelay_\S+)", text, re.MULTILINE))
    documented = set(re.findall(r"^\| `(rackrelay_\w+)`", DOCUMENT.read_text(), re.MULTILINE))
    assert documented == exported
    others = set(re.findall(r"^# TYPE (process|python_gc)_", text, re.MULTILINE))
    assert others == {"process", "python_gc"}
    assert all(f"`{other}_`" in DOCUMENT.read_text() for other in others)


def test_text_is_what_prometheus_has_read_so_far(laid_out: Site) -> None:
    """Names, kinds and help are an interface; when a series began is not told."""
    laid_out.tally.published(DEMO, 0.03)
    text = build_metrics(laid_out).decode()
    for line in (
        "# TYPE rackrelay_probes_total counter",
        "# HELP rackrelay_zone_serial Serial of the published zone.",
        "# TYPE rackrelay_zone_publish_seconds histogram",
        "rackrelay_leader 1.0",
    ):
        assert line in text.splitlines()
    assert "_created" not in text


def test_value_of_a_label_is_quoted_and_a_serial_is_exact(laid_out: Site) -> None:
    laid_out.regions[DEMO].zone = ZoneState(gen.zone(2**31 - 1), {}, {})
    assert values(laid_out, "rackrelay_zone_serial") == {"": 2**31 - 1}


def test_histogram_counts_up_to_each_bound(laid_out: Site) -> None:
    for seconds in (0.01, 0.02, 0.5, 70.0):
        laid_out.tally.published(DEMO, seconds)
    laid_out.tally.published((gen.NAMESPACE, "gone"), 1.0)
    buckets = values(laid_out, "rackrelay_zone_publish_seconds_bucket")
    assert [buckets[f'le="{bound}"'] for bound in ("0.01", "0.025", "0.5", "10.0", "+Inf")] == [1, 2, 3, 3, 4]
    assert values(laid_out, "rackrelay_zone_publish_seconds_sum") == {"": 70.53}
