"""A rotation of the TSIG key by the whole operator: it waits for agents, survives its own death, and ends."""

import base64
from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, REGION, SECRET
from rackrelay.daemons.named import NAMED
from tests.api.operator.cluster import wait_for
from tests.api.operator.rig import REGION_NAME, Rig, open_rig

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def site(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A region with one replica and two racks on one subnet."""
    with open_rig(api_server, tmp_path_factory.mktemp("keys")) as rig:
        rig.operator.start()
        rig.apply("RegionController", REGION_NAME, {"replicas": 1})
        rig.apply_demo("rack.yaml")
        rig.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24"})
        rig.add_region_pod(0)
        rig.add_rack(2, "10.10.0.2/24")
        rig.add_rack(3, "10.10.0.3/24")
        rig.wait_zone(_10_10_0_0__24=("10.10.0.2", "10.10.0.3"))
        yield rig


def plan_of(site: Rig) -> tuple[str, str]:
    """(accepted, signing), as the mounted Secret says."""
    data = site.wait_object(SECRET, names.keys_secret(REGION_NAME))["data"]
    found = [base64.b64decode(data[key]).decode() for key in (names.KEY_TSIG_ACCEPTED, names.KEY_TSIG_SIGNING)]
    return (found[0], found[1])


def wait_plan(site: Rig, accepted: str, signing: str) -> None:
    wait_for(
        f"{signing} signs, accepted are {accepted}",
        lambda: plan_of(site) == (accepted, signing),
        lambda: f"{plan_of(site)}\n{site.operator.log}",
    )


def wait_rendered(site: Rig, *rotations: int) -> None:
    """Until both configurations name these keys and no others."""
    wanted = {f"tsig-{rotation}.key" for rotation in rotations}

    def holds() -> bool:
        texts = [site.wait_object(CONFIG_MAP, name)["data"][NAMED.file] for name in ("demo-region", "demo-rack")]
        return all({f"tsig-{r}.key" for r in range(1, 4) if f"tsig-{r}.key" in text} == wanted for text in texts)

    wait_for(f"configurations with {wanted}", holds, lambda: site.operator.log)


def test_key_is_replaced_once_every_server_in_reach_accepts_the_new_one(site: Rig) -> None:
    for pod in site.pods.values():
        pod.follow_config()
    assert plan_of(site) == ("1", "1")
    site.cluster.patch(REGION, site.namespace, REGION_NAME, {"spec": {"tsig": {"rotation": 2}}})
    wait_rendered(site, 1, 2)
    for pod in site.pods.values():
        if pod.name != "rack3":
            pod.follow_config()
    # A step is not taken before five seconds have passed anyway.
    site.wait_polled(8)
    assert plan_of(site) == ("1,2", "1"), "rack3 does not run the configuration with both"
    site.operator.kill()
    site.operator.start()
    site.operator.wait_started()
    assert plan_of(site) == ("1,2", "1")
    site.pods["rack3"].follow_config()
    wait_plan(site, "1,2", "2")
    for pod in site.pods.values():
        pod.dns.key = site.tsig_key(2)
    wait_plan(site, "2", "2")
    wait_rendered(site, 2)
    site.pods["rack3"].power_off()
    site.wait_zone(_10_10_0_0__24=("10.10.0.2",))
