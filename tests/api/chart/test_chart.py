"""What the chart installs, and what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.paths import REPOSITORY
from rackrelay import names
from rackrelay.manifests.meta import rack_labels, region_labels
from rackrelay.process.settings import parse_settings
from tests.api.chart.helm import CHART, Manifest, find, load, render, run_helm

FOLDER = Path(__file__).parent
CASES = sorted(path.stem for path in (FOLDER / "values").glob("*.yaml"))
CRDS = REPOSITORY / "crds"


@pytest.fixture(scope="module")
def objects() -> list[Manifest]:
    """The objects of a default installation, the test's included."""
    return load(render())


@pytest.mark.parametrize("case", CASES)
def test_templates(case: str, golden: Callable[[Path, str], None]) -> None:
    values = FOLDER / "values" / f"{case}.yaml"
    golden(FOLDER / "golden" / f"{case}.yaml", render("--values", values, "--set", "crds.install=false"))


def test_no_golden_file_is_left_that_nothing_is_compared_with() -> None:
    assert {path.stem for path in (FOLDER / "golden").iterdir()} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_lint_finds_nothing(case: str) -> None:
    done = run_helm("lint", CHART, "--strict", "--values", FOLDER / "values" / f"{case}.yaml")
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


def test_resource_definitions_are_those_of_the_repository(objects: list[Manifest]) -> None:
    rendered = {crd["metadata"]["name"]: crd for crd in find(objects, "CustomResourceDefinition")}
    written = [yaml.safe_load(path.read_text()) for path in CRDS.glob("*.yaml")]
    assert rendered == {crd["metadata"]["name"]: crd for crd in written}
    assert all(crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for crd in rendered.values())


def test_packaged_chart_renders_the_same(tmp_path: Path) -> None:
    done = run_helm("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("*.tgz")
    assert render(chart=package) == render()


def test_chart_holds_no_custom_resources(objects: list[Manifest]) -> None:
    assert not [found for found in objects if found["apiVersion"].startswith("rackrelay.dev/")]


def test_no_rule_has_a_wildcard(objects: list[Manifest]) -> None:
    roles = find(objects, "Role") + find(objects, "ClusterRole")
    rules = [rule for role in roles for rule in role["rules"]]
    assert rules
    assert not [rule for rule in rules if any("*" in part for values in rule.values() for part in values)]


def test_cluster_wide_it_reads_nodes_only(objects: list[Manifest]) -> None:
    (role,) = find(objects, "ClusterRole")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}]


KINDS = ("regioncontrollers", "rackcontrollers", "subnets")


def test_rights_in_a_namespace_of_regions_are_those_that_are_used(objects: list[Manifest]) -> None:
    where = {"name": "rackrelay", "namespace": "machines"}
    (role,) = [r for r in find(objects, "Role") if r["metadata"].items() >= where.items()]
    found = {resource: rule["verbs"] for rule in role["rules"] for resource in rule["resources"]}
    look, own = ["list", "watch"], ["list", "watch", "create", "patch"]
    assert found == {
        **dict.fromkeys(KINDS, look),
        **{f"{kind}/status": ["patch"] for kind in KINDS},
        "statefulsets": own,
        "daemonsets": own,
        "services": [*own, "delete"],
        "configmaps": ["get", *own, "delete"],
        "pods": [*look, "patch", "delete"],
        "secrets": ["get", "create", "patch"],
        "events": ["list", "create"],
    }


def test_secrets_are_written_and_read_by_name_only(objects: list[Manifest]) -> None:
    rules = [rule for role in find(objects, "Role") for rule in role["rules"] if "secrets" in rule["resources"]]
    assert [rule["verbs"] for rule in rules] == [["get", "create", "patch"]]


def test_leases_are_written_by_name_only(objects: list[Manifest]) -> None:
    rules = [rule for role in find(objects, "Role") for rule in role["rules"] if "leases" in rule["resources"]]
    assert [(rule.get("resourceNames"), rule["verbs"]) for rule in rules] == [
        (None, ["create"]),
        (["rackrelay"], ["get", "update"]),
    ]


def test_one_of_two_operators_stays_whatever_is_drained_or_upgraded(objects: list[Manifest]) -> None:
    (deployment,), (budget,) = find(objects, "Deployment"), find(objects, "PodDisruptionBudget")
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["labelSelector"] == deployment["spec"]["selector"]


def test_policies_are_there_when_they_are_wanted_and_select_region_pods_alone(objects: list[Manifest]) -> None:
    assert find(objects, "NetworkPolicy") == []
    wanted = load(render("--values", FOLDER / "values" / "everything.yaml"))
    policies = find(wanted, "NetworkPolicy")
    assert [policy["metadata"]["namespace"] for policy in policies] == ["machines-a", "machines-b"]
    (deployment,) = find(wanted, "Deployment")
    for policy in policies:
        selected = policy["spec"]["podSelector"]["matchLabels"].items()
        region, rack = region_labels("demo"), rack_labels("demo")
        assert selected <= region.items()
        assert not selected <= rack.items()
        operator = policy["spec"]["ingress"][1]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert operator["from"][0]["podSelector"]["matchLabels"].items() <= labels.items()
        assert {port["port"] for port in operator["ports"]} == {names.PORT_REGION_DNS, names.PORT_AGENT}


def test_operator_understands_its_environment() -> None:
    (deployment,) = find(load(render("--values", FOLDER / "values" / "everything.yaml")), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    settings = parse_settings({variable["name"]: variable["value"] for variable in container["env"]})
    assert settings.region_namespaces == ("machines-a", "machines-b")
    assert settings.dataplane_image == "registry.example.com:5000/infra/rackrelay-dataplane:edge"
    assert settings.dataplane_pull_policy == "Never"
    assert settings.log_level == "DEBUG"
    assert (settings.lease_namespace, settings.lease_name) == ("rackrelay", "rackrelay")
    assert container["ports"] == [
        {"name": "health", "containerPort": settings.health_port},
        {"name": "metrics", "containerPort": settings.metrics_port},
    ]


def test_pod_monitor_is_there_only_when_it_is_asked_for(objects: list[Manifest]) -> None:
    assert find(objects, "PodMonitor") == []
    everything = load(render("--values", FOLDER / "values" / "everything.yaml"))
    (monitor,), (deployment,) = find(everything, "PodMonitor"), find(everything, "Deployment")
    assert monitor["spec"]["selector"] == deployment["spec"]["selector"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {e["port"] for e in monitor["spec"]["podMetricsEndpoints"]} <= {p["name"] for p in container["ports"]}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("typo", {"regionNamespace": ["a"]}, "regionNamespace"),
    ("typo below", {"image": {"operator": {"tags": "1"}}}, "tags"),
    ("interval without a unit", {"metrics": {"podMonitor": {"interval": "30"}}}, "interval"),
    ("typo in metrics", {"metrics": {"serviceMonitor": {}}}, "serviceMonitor"),
    ("typo in resources", {"resources": {"limit": {}}}, "limit"),
    ("no namespace", {"regionNamespaces": []}, "regionNamespaces"),
    ("namespaces as text", {"regionNamespaces": "machines"}, "regionNamespaces"),
    ("namespace that cannot exist", {"regionNamespaces": ["Machines"]}, "regionNamespaces"),
    ("the same namespace twice", {"regionNamespaces": ["a", "a"]}, "regionNamespaces"),
    ("the operator's own namespace", {"regionNamespaces": ["rackrelay"]}, "operator's own namespace"),
    ("unknown log level", {"logLevel": "LOUD"}, "logLevel"),
    ("unknown pull policy", {"image": {"dataplane": {"pullPolicy": "Sometimes"}}}, "pullPolicy"),
    ("tag with a space", {"image": {"operator": {"tag": "a b"}}}, "tag"),
    ("tag as a number", {"image": {"operator": {"tag": 1.2}}}, "tag"),
    ("empty repository", {"image": {"operator": {"repository": ""}}}, "repository"),
    ("policies without racks", {"networkPolicies": {"enabled": True}}, "networkPolicies.rackNetworks"),
    ("address as a network", {"networkPolicies": {"rackNetworks": ["10.0.0.1"]}}, "rackNetworks"),
    ("text for a switch", {"createNamespaces": "yes"}, "createNamespaces"),
    ("label as a boolean", {"nodeSelector": {"a": True}}, "nodeSelector"),
    ("unknown kind of affinity", {"affinity": {"zoneAffinity": {}}}, "zoneAffinity"),
    ("pull secret without a name", {"imagePullSecrets": [{}]}, "imagePullSecrets"),
]


@pytest.mark.parametrize(("values", "named"), [pytest.param(v, n, id=case) for case, v, n in REFUSED])
def test_bad_values_are_refused(tmp_path: Path, values: dict[str, Any], named: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = run_helm("template", "rackrelay", CHART, "--namespace", "rackrelay", "--values", file)
    assert done.returncode != 0
    assert named in done.stderr


def test_every_value_has_a_schema() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert schema["properties"].keys() == values.keys() | {"global"}


def test_old_cluster_is_refused() -> None:
    done = run_helm("template", "rackrelay", CHART, "--kube-version", "1.32.9")
    assert done.returncode != 0
    assert ">=1.33.0" in done.stderr
