"""Manifests: what must hold for every object that rackrelay makes."""

import base64
from pathlib import Path
from typing import Any

import pytest

from rackrelay import names
from rackrelay.daemons.table import state_folders
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.manifests.containers import Image
from rackrelay.manifests.desired import desire_rack, desire_region
from rackrelay.manifests.pods import build_rack_workload, safe_ttl_s
from rackrelay.manifests.secrets import build_agent_secret, build_keys_secret, build_tsig_secret
from rackrelay.manifests.services import build_region_services
from rackrelay.model.pods import PodSettings
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionEndpoint
from rackrelay.render.inputs import RackInputs, RegionInputs
from tests import gen

IMAGE = Image("rackrelay/dataplane:1", "Always")
REGION = gen.region()
ENDPOINTS = (RegionEndpoint(0, "demo-region-0", "10.96.0.10"),)

Container = dict[str, Any]


def region_objects() -> tuple[gen.Manifest, ...]:
    return desire_region(RegionInputs(REGION), IMAGE).objects


def rack_objects(rack: RackController | None = None) -> tuple[gen.Manifest, ...]:
    return desire_rack(rack or gen.rack(), RackInputs(REGION, (), ENDPOINTS), IMAGE).objects


def pod_of(objects: tuple[gen.Manifest, ...]) -> gen.Manifest:
    return dict(objects[-1]["spec"]["template"]["spec"])


REGION_POD, RACK_POD = pod_of(region_objects()), pod_of(rack_objects())
PODS = pytest.mark.parametrize("pod", [REGION_POD, RACK_POD], ids=["region", "rack"])


def containers(pod: gen.Manifest) -> dict[str, Container]:
    return {c["name"]: c for c in (*pod["initContainers"], *pod["containers"])}


@pytest.mark.parametrize(
    "built", [*region_objects(), *rack_objects()], ids=lambda o: f"{o['kind']}-{o['metadata']['name']}"
)
def test_object_belongs_to_its_owner_and_is_labelled(built: gen.Manifest) -> None:
    (owner,) = built["metadata"]["ownerReferences"]
    assert (owner["name"], owner["uid"], owner["controller"]) == ("demo", "uid-demo", True)
    # The operator may not set finalizers, and needs no right to.
    assert owner["blockOwnerDeletion"] is False
    assert built["metadata"]["namespace"] == gen.NAMESPACE
    assert built["metadata"]["labels"][names.LABEL_MANAGED_BY] == names.MANAGED_BY


@pytest.mark.parametrize("objects", [region_objects(), rack_objects()], ids=["region", "rack"])
def test_pods_are_selected_by_labels_that_they_have(objects: tuple[gen.Manifest, ...]) -> None:
    spec = objects[-1]["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_racks_pod_says_its_region_which_may_become_another() -> None:
    spec = rack_objects(gen.rack())[-1]["spec"]
    assert spec["template"]["metadata"]["labels"][names.LABEL_REGION] == "demo"
    assert names.LABEL_REGION not in spec["selector"]["matchLabels"]


def test_users_labels_cannot_take_a_pod_out_of_its_selector() -> None:
    stolen = {names.LABEL_RACK_CONTROLLER: "other", "team": "metal"}
    spec = rack_objects(gen.rack(pods=PodSettings(node_selector=gen.RACK_NODES, labels=stolen)))[-1]["spec"]
    assert spec["template"]["metadata"]["labels"][names.LABEL_RACK_CONTROLLER] == "demo"
    assert spec["template"]["metadata"]["labels"]["team"] == "metal"


@PODS
def test_pod_has_no_kubernetes_credentials(pod: gen.Manifest) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert not [v for v in pod["volumes"] if "projected" in v]


@PODS
def test_every_mount_has_its_volume(pod: gen.Manifest) -> None:
    volumes = {v["name"] for v in pod["volumes"]}
    for container in containers(pod).values():
        assert {m["name"] for m in container["volumeMounts"]} <= volumes
        paths = [m["mountPath"] for m in container["volumeMounts"]]
        assert len(set(paths)) == len(paths)


def mounts_of(pod: gen.Manifest, volume: str) -> dict[str, gen.Manifest]:
    """Who mounts a volume, and how."""
    found = containers(pod).items()
    return {name: m for name, container in found for m in container["volumeMounts"] if m["name"] == volume}


@PODS
@pytest.mark.parametrize(
    ("volume", "who"),
    [("agent-key", {"agent"}), ("tsig", {"agent", "named"}), ("config", {"agent"}), ("zone", {"agent"})],
)
def test_keys_and_mounted_files_are_seen_by_those_who_read_them(pod: gen.Manifest, volume: str, who: set[str]) -> None:
    mounts = mounts_of(pod, volume)
    assert set(mounts) == who
    assert all(mount["readOnly"] for mount in mounts.values())


@PODS
def test_daemons_cannot_change_their_configuration(pod: gen.Manifest) -> None:
    assert [n for n, mount in mounts_of(pod, "run").items() if not mount.get("readOnly")] == ["agent"]


@PODS
def test_daemon_sees_its_own_part_of_the_state_alone(pod: gen.Manifest) -> None:
    mounts = mounts_of(pod, "state")
    assert {n for n, mount in mounts.items() if "subPath" not in mount} <= {"agent", "prepare"}
    parts = {n: (m["mountPath"], m["subPath"]) for n, m in mounts.items() if "subPath" in m}
    folders = {"named": "named", "rsyslogd": "rsyslog", "squid": "squid"}
    assert parts == {daemon: (f"/var/lib/rackrelay/{folder}", folder) for daemon, folder in folders.items()}
    assert set(folders.values()) == set(state_folders())


def test_folders_are_the_daemons_users_before_they_are_mounted() -> None:
    prepare, *_ = RACK_POD["initContainers"]
    assert prepare["name"] == "prepare"
    assert "restartPolicy" not in prepare
    for folder in state_folders():
        assert prepare["command"][-1].count(f"/var/lib/rackrelay/{folder}") == 2


@PODS
def test_agent_is_a_sidecar_that_daemons_wait_for(pod: gen.Manifest) -> None:
    agent = pod["initContainers"][-1]
    assert (agent["name"], agent["restartPolicy"]) == ("agent", "Always")
    assert agent["startupProbe"]["exec"]["command"] == ["test", "-f", "/run/rackrelay/ready"]


@PODS
def test_root_file_system_is_read_only_and_no_privilege_can_be_gained(pod: gen.Manifest) -> None:
    for container in containers(pod).values():
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"]["drop"] == ["ALL"]
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_only_two_containers_of_a_rack_run_as_root_with_little() -> None:
    rooted = {
        n: c["securityContext"] for n, c in containers(RACK_POD).items() if c["securityContext"]["runAsUser"] == 0
    }
    assert {n: s["capabilities"]["add"] for n, s in rooted.items()} == {
        "prepare": ["CHOWN"],
        "named": ["NET_BIND_SERVICE", "SETGID", "SETUID"],
    }


def test_region_runs_nothing_as_root() -> None:
    assert {c["securityContext"]["runAsUser"] for c in containers(REGION_POD).values()} == {names.UID}
    assert "hostNetwork" not in REGION_POD


def test_rack_uses_the_nodes_network_and_disk() -> None:
    assert RACK_POD["hostNetwork"] is True
    (state,) = [v for v in RACK_POD["volumes"] if v["name"] == "state"]
    assert state["hostPath"]["path"] == names.DIR_STATE
    ports = [p["containerPort"] for c in RACK_POD["containers"] for p in c.get("ports", ())]
    assert ports == [names.PORT_RACK_HTTP]


def test_daemons_of_a_rack_serve_on_while_machines_remember_them() -> None:
    """A preStop holds its own container alone, so each daemon has one; the pod's grace is longer."""
    for container in RACK_POD["containers"]:
        assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == REGION.ttl_s + 5
    assert RACK_POD["terminationGracePeriodSeconds"] == REGION.ttl_s + 15


def test_racks_are_replaced_by_the_operator_alone() -> None:
    assert rack_objects()[-1]["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_pods_of_a_region_start_together() -> None:
    spec = region_objects()[-1]["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"]) == (2, "Parallel")


@PODS
def test_every_container_requests_a_little_and_nothing_limits_it(pod: gen.Manifest) -> None:
    for container in containers(pod).values():
        assert set(container["resources"]) == {"requests"}
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}


@pytest.mark.parametrize("given", [{"limits": {"memory": "16Mi"}}, {}])
def test_users_resources_of_a_daemon_are_all_that_it_has(given: gen.Manifest) -> None:
    settings = PodSettings(node_selector=gen.RACK_NODES, resources={"squid": given})
    found = containers(pod_of(rack_objects(gen.rack(pods=settings))))
    assert found["squid"]["resources"] == given
    assert found["named"]["resources"] == containers(RACK_POD)["named"]["resources"]


@pytest.mark.parametrize(("kind", "unit"), [("cpu", "m"), ("memory", "Mi")])
def test_requests_are_those_of_the_document(kind: str, unit: str) -> None:
    racks, regions = (
        {n: c["resources"]["requests"][kind] for n, c in containers(pod).items() if n != "prepare"}
        for pod in (RACK_POD, REGION_POD)
    )
    order = ("agent", "named", "nginx", "rsyslogd", "squid", "metadata")
    sums = [f"{sum(int(one.removesuffix(unit)) for one in pod.values())}{unit}" for pod in (racks, regions)]
    row = " | ".join([kind, *((racks | regions)[name] for name in order), *sums])
    assert racks.items() <= regions.items()
    assert f"| {row} |" in (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def test_pull_policy_is_the_operators() -> None:
    assert {c["imagePullPolicy"] for c in containers(RACK_POD).values()} == {"Always"}


def test_services_are_one_a_replica() -> None:
    services = build_region_services(REGION)
    assert [s["metadata"]["name"] for s in services] == ["demo-region-0", "demo-region-1"]
    for service in services:
        selector = service["spec"]["selector"]
        assert selector["statefulset.kubernetes.io/pod-name"] == service["metadata"]["name"]
        ports = [(p["port"], p["protocol"]) for p in service["spec"]["ports"]]
        heartbeat = 5250 + services.index(service)
        common = [(5242, "UDP"), (5242, "TCP"), (5240, "TCP"), (5245, "TCP"), (5247, "TCP")]
        assert ports == [*common, (heartbeat, "TCP")]


def test_http_port_of_the_region_is_the_users() -> None:
    (service,) = build_region_services(gen.region(replicas=1, http_port=80))
    assert 80 in [p["port"] for p in service["spec"]["ports"]]


def test_zone_config_map_outlives_its_region() -> None:
    zone = gen.zone(7, a=("10.0.0.1",))
    built = build_zone_config(gen.NAMESPACE, "demo", zone, "12")
    assert "ownerReferences" not in built["metadata"]
    assert built["metadata"]["resourceVersion"] == "12"
    assert built["data"]["serial"] == "7"
    assert "resourceVersion" not in build_zone_config(gen.NAMESPACE, "demo", zone, None)["metadata"]


def texts(secret: dict[str, Any]) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def test_tsig_secret_is_never_changed() -> None:
    built = build_tsig_secret(gen.NAMESPACE, "demo", "c2VjcmV0", 3)
    assert (built["metadata"]["name"], built["immutable"]) == ("demo-tsig-3", True)
    assert texts(built) == {"name": "3.demo.machines.rackrelay", "secret": "c2VjcmV0"}


def test_keys_secret_is_what_named_includes_and_says_which_key_signs() -> None:
    built = build_keys_secret(gen.NAMESPACE, "demo", {1: "b25l", 2: "dHdv"}, ((1, 2), 2))
    assert "immutable" not in built
    assert texts(built) == {
        "accepted": "1,2",
        "signing": "2",
        "name": "2.demo.machines.rackrelay",
        "secret": "dHdv",
        "tsig-1.key": 'key "1.demo.machines.rackrelay" {\n    algorithm hmac-sha256;\n    secret "b25l";\n};\n',
        "tsig-2.key": 'key "2.demo.machines.rackrelay" {\n    algorithm hmac-sha256;\n    secret "dHdv";\n};\n',
    }


def test_agent_secret() -> None:
    built = build_agent_secret(gen.NAMESPACE, "demo", "key")
    assert (texts(built), built["immutable"]) == ({"key": "key"}, True)


@pytest.mark.parametrize(("ttl_s", "stop_s"), [(1, 20), (15, 20), (16, 65), (300, 305)])
def test_stopping_rack_serves_on_for_the_ttl_and_a_change_of_it_seldom_changes_the_template(
    ttl_s: int, stop_s: int
) -> None:
    region = gen.region(ttl_s=ttl_s)
    workload = build_rack_workload(gen.rack(), region, Image("image", "IfNotPresent"), "digest")
    pod = workload["spec"]["template"]["spec"]
    named = next(c for c in pod["containers"] if c["name"] == "named")
    assert named["lifecycle"]["preStop"]["sleep"]["seconds"] == stop_s
    assert pod["terminationGracePeriodSeconds"] == stop_s + 10
    assert safe_ttl_s(600, [pod["terminationGracePeriodSeconds"]]) == stop_s - 5


@pytest.mark.parametrize(("graces_s", "ttl_s"), [([], 300), ([315, 315], 300), ([30, 315], 15), ([75], 60), ([3], 1)])
def test_ttl_waits_for_pods_that_stop_sooner(graces_s: list[int], ttl_s: int) -> None:
    assert safe_ttl_s(300, graces_s) == ttl_s


SETTINGS = PodSettings(
    image="registry.example.com/own:2",
    image_pull_secrets=({"name": "pull"},),
    node_selector={"example.com/rack": "true"},
    tolerations=({"key": "example.com/rack", "operator": "Exists"},),
    affinity={"podAntiAffinity": {}},
    priority_class_name="system-node-critical",
    labels={"example.com/team": "metal"},
    annotations={"example.com/version": "7"},
    resources={"named": {"limits": {"memory": "64Mi"}}},
)


@pytest.mark.parametrize("kind", ["region", "rack"])
def test_every_pod_setting_is_in_the_template(kind: str) -> None:
    if kind == "rack":
        objects = rack_objects(gen.rack(pods=SETTINGS))
    else:
        objects = desire_region(RegionInputs(gen.region(pods=SETTINGS)), IMAGE).objects
    template = objects[-1]["spec"]["template"]
    spec, containers = template["spec"], {c["name"]: c for c in template["spec"]["containers"]}
    assert {c["image"] for c in (*containers.values(), *spec["initContainers"])} == {SETTINGS.image}
    assert spec["imagePullSecrets"] == list(SETTINGS.image_pull_secrets)
    assert spec["nodeSelector"] == SETTINGS.node_selector
    assert spec["tolerations"] == list(SETTINGS.tolerations)
    assert spec["affinity"] == SETTINGS.affinity
    assert spec["priorityClassName"] == SETTINGS.priority_class_name
    assert template["metadata"]["labels"].items() >= SETTINGS.labels.items()
    assert template["metadata"]["annotations"].items() >= SETTINGS.annotations.items()
    assert containers["named"]["resources"] == SETTINGS.resources["named"]
