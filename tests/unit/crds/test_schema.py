"""The resource definitions keep their own rules, and agree with the models and names that the operator uses."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from rackrelay import names
from rackrelay.daemons.table import daemons_of
from rackrelay.model.detection import FailureDetection
from rackrelay.model.parsing import SpecModel
from rackrelay.model.rack import RackSpec
from rackrelay.model.region import ExternalDNS, RegionController, RegionSpec
from rackrelay.model.subnet import Subnet, SubnetSpec
from rackrelay.zone.evidence import Tier

FOLDER = Path(__file__).parents[3] / "crds"
CRDS = {crd["spec"]["names"]["plural"]: crd for crd in map(yaml.safe_load, map(Path.read_text, FOLDER.glob("*.yaml")))}
PLURALS = (names.REGION_PLURAL, names.RACK_PLURAL, names.SUBNET_PLURAL)

Schema = dict[str, Any]


def schema_of(plural: str) -> Schema:
    """The schema of the only version."""
    (version,) = CRDS[plural]["spec"]["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """(path, schema) of every field below `schema`, itself included."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from walk(schema[key], path + suffix)


def fields_of(plural: str) -> list[tuple[str, Schema]]:
    """Every field of spec and status."""
    properties = schema_of(plural)["properties"]
    return [found for top in ("spec", "status") for found in walk(properties[top], top)]


def pods_of(plural: str) -> Schema:
    pods: Schema = schema_of(plural)["properties"]["spec"]["properties"]["pods"]["properties"]
    return pods


def test_definitions_are_those_that_the_operator_watches() -> None:
    assert set(CRDS) == set(PLURALS)
    for crd in CRDS.values():
        (version,) = crd["spec"]["versions"]
        assert (crd["spec"]["group"], version["name"]) == (names.GROUP, names.VERSION)


@pytest.mark.parametrize("plural", PLURALS)
def test_every_field_is_described_and_bounded(plural: str) -> None:
    for path, field in fields_of(plural):
        assert path.endswith(("[]", "{}")) or field.get("description"), path
        if field.get("type") == "string":
            assert "maxLength" in field or "enum" in field or field.get("format") == "date-time", path
        if field.get("type") == "array":
            assert "maxItems" in field, path
            assert "x-kubernetes-list-type" in field, path
        if "additionalProperties" in field:
            assert "maxProperties" in field, path


@pytest.mark.parametrize("plural", PLURALS)
def test_every_rule_says_what_is_wrong(plural: str) -> None:
    for path, field in fields_of(plural):
        for rule in field.get("x-kubernetes-validations", ()):
            assert rule.get("message"), path


def test_pods_are_the_same_for_regions_and_racks() -> None:
    region, rack = pods_of(names.REGION_PLURAL), pods_of(names.RACK_PLURAL)
    assert region.keys() == rack.keys()
    for field in region.keys() - {"nodeSelector", "resources"}:
        assert region[field] == rack[field], field
    assert region["resources"]["additionalProperties"] == rack["resources"]["additionalProperties"]


@pytest.mark.parametrize(
    ("plural", "component"),
    [(names.REGION_PLURAL, names.COMPONENT_REGION), (names.RACK_PLURAL, names.COMPONENT_RACK)],
    ids=["region", "rack"],
)
def test_resources_can_be_given_to_every_container(plural: str, component: str) -> None:
    resources = pods_of(plural)["resources"]
    (rule,) = resources["x-kubernetes-validations"]
    listed = set(re.findall(r"'([a-z]+)'", rule["rule"]))
    assert listed == {daemon.name for daemon in daemons_of(component)} | {"agent"}
    assert resources["maxProperties"] == len(listed)
    assert all(name in rule["message"] for name in listed)


def test_conditions_are_the_same_for_all_kinds() -> None:
    conditions = [schema_of(plural)["properties"]["status"]["properties"]["conditions"] for plural in PLURALS]
    assert conditions[0]["items"] == conditions[1]["items"] == conditions[2]["items"]


def test_defaults_are_the_models_defaults() -> None:
    spec = schema_of(names.REGION_PLURAL)["properties"]["spec"]["properties"]
    assert RegionController.replicas == spec["replicas"]["default"]
    assert RegionController.domain == spec["domain"]["default"]
    assert RegionController.ttl_s == spec["ttlSeconds"]["default"]
    assert RegionController.dnssec_validation == spec["dns"]["properties"]["dnssecValidation"]["default"]
    assert RegionController.tsig_rotation == spec["tsig"]["properties"]["rotation"]["default"]
    detection = spec["failureDetection"]["properties"]
    assert FailureDetection.interval_s * 1000 == detection["intervalMilliseconds"]["default"]
    assert FailureDetection.misses == detection["misses"]["default"]
    external = spec["external"]["properties"]["dns"]["properties"]
    assert ExternalDNS.port == external["port"]["default"]
    assert RegionController.http_port == spec["http"]["properties"]["port"]["default"]
    spec = schema_of(names.SUBNET_PLURAL)["properties"]["spec"]["properties"]
    assert Subnet.managed is spec["managed"]["default"]
    assert Subnet.allow_dns is spec["allowDNS"]["default"]
    assert Subnet.allow_proxy is spec["allowProxy"]["default"]


BOUNDS = {"minimum": "ge", "maximum": "le"}


def check_model(path: str, model: type[SpecModel], schema: dict[str, Any]) -> None:
    """Both have the same fields with the same bounds and choices, below as well."""
    declared, read = schema["properties"], {field.alias or name: field for name, field in model.model_fields.items()}
    assert read.keys() == declared.keys(), path
    for name, field in read.items():
        bounds = {rule: value for part in field.metadata for rule, value in vars_of(part).items() if value is not None}
        assert bounds == {BOUNDS[k]: v for k, v in declared[name].items() if k in BOUNDS}, f"{path}.{name}"
        inner = [t for t in (field.annotation, *get_args(field.annotation)) if is_model(t)]
        for part in inner:
            check_model(f"{path}.{name}", part, declared[name])
        if not inner and "enum" in declared[name]:
            assert list(get_args(field.annotation)) == declared[name]["enum"], f"{path}.{name}"


def vars_of(part: Any) -> dict[str, Any]:
    return {rule: getattr(part, rule, None) for rule in BOUNDS.values()}


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, SpecModel)


@pytest.mark.parametrize(
    ("plural", "model"),
    [(names.REGION_PLURAL, RegionSpec), (names.RACK_PLURAL, RackSpec), (names.SUBNET_PLURAL, SubnetSpec)],
    ids=PLURALS,
)
def test_model_reads_every_field_within_the_same_bounds(plural: str, model: type[SpecModel]) -> None:
    check_model("spec", model, schema_of(plural)["properties"]["spec"])


@pytest.mark.parametrize(
    ("plural", "field"), [(names.RACK_PLURAL, "notHealthy"), (names.SUBNET_PLURAL, "racks")], ids=("rack", "subnet")
)
def test_tiers_are_those_of_the_zone_rule(plural: str, field: str) -> None:
    listed = schema_of(plural)["properties"]["status"]["properties"][field]["items"]["properties"]["tier"]
    assert listed["enum"] == list(dict.fromkeys(tier.word for tier in Tier))


def test_http_port_rule_knows_the_ports_of_region_pods() -> None:
    (rule,) = schema_of(names.REGION_PLURAL)["properties"]["spec"]["properties"]["http"]["properties"]["port"][
        "x-kubernetes-validations"
    ]
    for port in (
        names.PORT_DNS,
        names.PORT_REGION_DNS,
        names.PORT_REGION_PROXY,
        names.PORT_REGION_SYSLOG,
        names.PORT_AGENT,
    ):
        assert str(port) in rule["rule"]
    assert f"self >= {names.PORT_HEARTBEAT_FIRST} && self <= {names.PORT_HEARTBEAT_LAST}" in rule["rule"]
    loopback = [value for name, value in vars(names).items() if name.startswith("PORT_LOCAL_")]
    assert names.PORT_HEARTBEAT_FIRST <= min(loopback) <= max(loopback) <= names.PORT_HEARTBEAT_LAST
