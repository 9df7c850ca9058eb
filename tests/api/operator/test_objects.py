"""From resources to objects on a real API server."""

from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, DAEMON_SET, RACK, REGION, SECRET, SERVICE, STATEFUL_SET, SUBNET, Kind
from rackrelay.daemons.nginx import NGINX
from tests.api.operator.cluster import wait_for
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def demo(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The operator runs and has laid the demo out; no node is there. Tests leave it as they found it."""
    with open_rig(api_server, tmp_path_factory.mktemp("demo")) as rig:
        rig.operator.start()
        rig.apply_demo()
        rig.wait_conditions(RACK, "demo", RacksHealthy=("False", "NoRacks"))
        yield rig


def test_demo_becomes_objects(demo: Rig) -> None:
    for kind, name in (
        (SECRET, "demo-tsig-1"),
        (SECRET, "demo-agent-1"),
        (SECRET, "demo-keys"),
        (CONFIG_MAP, "demo-zone"),
        (CONFIG_MAP, "demo-region"),
        (CONFIG_MAP, "demo-rack"),
        (SERVICE, "demo-region-0"),
        (SERVICE, "demo-region-1"),
    ):
        demo.wait_object(kind, name)
    assert demo.wait_object(CONFIG_MAP, "demo-zone")["data"]["serial"] == "1"
    nginx = demo.wait_object(CONFIG_MAP, "demo-rack")["data"][NGINX.file]
    for ordinal in (0, 1):
        assert demo.wait_object(SERVICE, f"demo-region-{ordinal}")["spec"]["clusterIP"] in nginx


def test_first_words_in_status(demo: Rig) -> None:
    demo.wait_conditions(REGION, "demo", Ready=("False", "Starting"), Reconciling=("True", "Starting"))
    demo.wait_conditions(RACK, "demo", RacksHealthy=("False", "NoRacks"))
    found = demo.wait_conditions(SUBNET, "prov-a", Ready=("False", "NoRackAddress"))
    assert found["status"]["dnsName"] == "10-10-0-0--24.maas-internal"
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]


def test_users_objects_get_no_annotations_and_no_finalizers(demo: Rig) -> None:
    demo.wait_conditions(SUBNET, "prov-a", Ready=("False", "NoRackAddress"))
    for kind, name in ((REGION, "demo"), (RACK, "demo"), (SUBNET, "prov-a")):
        metadata = demo.wait_object(kind, name)["metadata"]
        assert not {"annotations", "finalizers"} & metadata.keys()


@pytest.mark.parametrize(
    ("kind", "name", "edit"),
    [
        pytest.param(CONFIG_MAP, "demo-rack", {"data": {"nginx.conf": "edited"}}, id="configuration"),
        pytest.param(SERVICE, "demo-region-0", {"spec": {"selector": {"app": "mine"}}}, id="selector"),
        pytest.param(STATEFUL_SET, "demo-region", {"spec": {"replicas": 7}}, id="replicas"),
        pytest.param(DAEMON_SET, "demo-rack", {"metadata": {"labels": {names.LABEL_COMPONENT: None}}}, id="label"),
    ],
)
def test_edit_of_an_owned_object_is_put_back(demo: Rig, kind: Kind, name: str, edit: dict[str, object]) -> None:
    (part,) = edit
    before = demo.wait_object(kind, name)
    edited = demo.cluster.patch(kind, demo.namespace, name, edit)
    assert edited[part] != before[part]

    def is_back() -> bool:
        now = demo.wait_object(kind, name)
        return all(now[p] == before[p] for p in ("data", "spec") if p in before) and (
            now["metadata"]["labels"] == before["metadata"]["labels"]
        )

    wait_for("the edit is put back", is_back, lambda: demo.operator.log)


def test_deleted_object_is_made_again(demo: Rig) -> None:
    before = demo.wait_object(CONFIG_MAP, "demo-rack")
    demo.cluster.delete(CONFIG_MAP, demo.namespace, "demo-rack")
    after = wait_for(
        "another ConfigMap",
        lambda: (o := demo.get(CONFIG_MAP, "demo-rack")) and o["metadata"]["uid"] != before["metadata"]["uid"] and o,
    )
    assert after["data"] == before["data"]


def test_fewer_replicas_remove_services(demo: Rig) -> None:
    demo.wait_object(SERVICE, "demo-region-1")
    demo.cluster.patch(REGION, demo.namespace, "demo", {"spec": {"replicas": 1}})
    wait_for("one Service less", lambda: demo.get(SERVICE, "demo-region-1") is None, lambda: demo.operator.log)
    demo.cluster.patch(REGION, demo.namespace, "demo", {"spec": {"replicas": 2}})
    demo.wait_object(SERVICE, "demo-region-1")


def test_region_made_again_adopts_keys_and_zone(demo: Rig) -> None:
    keys = demo.wait_object(SECRET, "demo-tsig-1")["data"]
    demo.cluster.delete(REGION, demo.namespace, "demo")
    demo.wait_conditions(RACK, "demo", Ready=("False", "RegionNotFound"))
    demo.apply_demo("region.yaml")
    demo.wait_conditions(RACK, "demo", RacksHealthy=("False", "NoRacks"), Ready=("True", "Applied"))
    assert demo.wait_object(SECRET, "demo-tsig-1")["data"] == keys
    assert demo.wait_object(CONFIG_MAP, "demo-zone")["data"]["serial"] == "1"
