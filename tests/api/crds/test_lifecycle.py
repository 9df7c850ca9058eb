"""Defaults, immutable fields and status, as the API server keeps them."""

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from tests.api.crds.resources import Resources, build_resource, refusal

pytestmark = pytest.mark.api

REGION = build_resource("RegionController", {"name": "main", "spec": {"domain": "racks.example.com"}})
RACK = build_resource("RackController", {"name": "main", "spec": {"pods": {"nodeSelector": {"a": "b"}}}})
SUBNET = build_resource("Subnet", {"name": "main", "spec": {"cidr": "10.10.0.0/24"}})


def test_region_gets_its_defaults(resources: Resources) -> None:
    created = resources.create(build_resource("RegionController", {"name": "main"}))
    assert created["spec"] == {
        "replicas": 3,
        "domain": "maas-internal",
        "ttlSeconds": 15,
        "dns": {"dnssecValidation": "Auto"},
        "http": {"port": 5240},
        "tsig": {"rotation": 1},
        "failureDetection": {"intervalMilliseconds": 250, "misses": 3},
    }


def test_subnet_gets_its_defaults(resources: Resources) -> None:
    created = resources.create(SUBNET)
    assert created["spec"] == {"cidr": "10.10.0.0/24", "managed": True, "allowDNS": True, "allowProxy": True}


@pytest.mark.parametrize("body", [REGION, RACK, SUBNET], ids=lambda body: body["kind"])
def test_new_object_does_not_read_as_finished(resources: Resources, body: dict[str, Any]) -> None:
    assert resources.create(body)["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("body", [REGION, RACK, SUBNET], ids=lambda body: body["kind"])
def test_users_cannot_write_status(resources: Resources, body: dict[str, Any]) -> None:
    created = resources.create(body | {"status": {"observedGeneration": 7}})
    assert created["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize(
    ("body", "change"),
    [
        pytest.param(REGION, {"domain": "other.example.com"}, id="another domain"),
        pytest.param(REGION, {"domain": None}, id="domain removed, so that the default applies"),
        pytest.param(SUBNET, {"cidr": "10.20.0.0/24"}, id="another cidr"),
        pytest.param(SUBNET, {"cidr": "10.10.0.0/25"}, id="a smaller cidr"),
    ],
)
def test_immutable_field_stays(resources: Resources, body: dict[str, Any], change: dict[str, Any]) -> None:
    resources.create(body)
    with pytest.raises(ApiException) as refused:
        resources.patch(body["kind"], "main", {"spec": change})
    assert refused.value.status == 422
    (field,) = change
    assert f"spec.{field}" in refusal(refused.value)
    assert "immutable" in refusal(refused.value)


def test_immutable_domain_survives_the_removal_of_spec(resources: Resources) -> None:
    resources.create(REGION)
    with pytest.raises(ApiException) as refused:
        resources.patch("RegionController", "main", {"spec": None})
    assert "domain is immutable" in refusal(refused.value)


@pytest.mark.parametrize("change", [{"rotation": 2}, {"rotation": None}, None])
def test_key_rotation_only_goes_up(resources: Resources, change: dict[str, Any] | None) -> None:
    resources.create(REGION)
    assert resources.patch("RegionController", "main", {"spec": {"tsig": {"rotation": 3}}})["spec"]["tsig"] == {
        "rotation": 3
    }
    with pytest.raises(ApiException) as refused:
        resources.patch("RegionController", "main", {"spec": {"tsig": change}})
    assert "tsig.rotation never goes down" in refusal(refused.value)


def test_other_fields_may_change(resources: Resources) -> None:
    resources.create(REGION)
    resources.create(SUBNET)
    region = resources.patch("RegionController", "main", {"spec": {"replicas": 5, "http": {"port": 80}}})
    subnet = resources.patch("Subnet", "main", {"spec": {"managed": False, "regionRef": {"name": "main"}}})
    assert (region["spec"]["replicas"], region["metadata"]["generation"]) == (5, 2)
    assert (subnet["spec"]["managed"], subnet["metadata"]["generation"]) == (False, 2)


def test_condition_without_a_reason_is_refused(resources: Resources) -> None:
    resources.create(RACK)
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "message": ""}
    with pytest.raises(ApiException) as refused:
        resources.patch("RackController", "main", {"status": {"conditions": [condition]}}, status=True)
    assert "status.conditions[0].reason" in refusal(refused.value)
