"""A region whose keys are made and replaced, and a rack that has to apply each step."""

from typing import Any

from rackrelay import names
from rackrelay.cluster.client import NODE, POD, RACK, REGION
from rackrelay.controllers.resources.keys import KeyPlan
from rackrelay.model.region import RegionController
from tests import gen
from tests.unit.controllers.site import Site


def add_region(site: Site, rotation: int = 1) -> RegionController:
    site.put(REGION, gen.body("RegionController", "demo", {"replicas": 1, "tsig": {"rotation": rotation}}))
    return site.inventory.regions(gen.NAMESPACE)[0]


def add_rack(site: Site, **status: Any) -> None:
    """A rack in reach whose agent says this."""
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
    site.put(NODE, {"metadata": {"name": "rack1", "labels": gen.RACK_NODES}})
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": "demo-rack-a", "uid": "a", "labels": labels}
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": "rack1"}, "status": {"podIP": "192.0.2.1"}})
    site.track()
    site.health.take_status(site.sighting("rack1").server, gen.status(**status), site.now())


def rendered(site: Site, config_hash: str = "c0ffee") -> None:
    """The configuration has been rendered anew, as reconciling the region and its racks does."""
    state = site.regions[(gen.NAMESPACE, "demo")]
    state.config_hash = state.rack_config_hashes["demo"] = config_hash


def plan_of(site: Site) -> KeyPlan:
    known = site.region_keys()
    return KeyPlan(known.accepted, known.signing)
