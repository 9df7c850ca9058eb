"""What `kubectl get` shows, from statuses such as the operator writes."""

import re
from typing import Any

import pytest

from lab.apiserver import ApiServer
from tests.api.crds.resources import Resources
from tests.api.crds.test_lifecycle import RACK, REGION, SUBNET

pytestmark = pytest.mark.api


def build_condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    """A condition with all that the schema asks for."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "All is well.",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def read_row(table: str) -> list[str]:
    """TITLE=cell for each column of a table with one row, which may have empty cells."""
    header, row = table.splitlines()
    starts = [title.start() for title in re.finditer(r"\S+", header)]
    columns = [slice(start, end) for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return [f"{header[column].strip()}={row[column].strip()}" for column in columns]


READY = build_condition("Ready", "True", "Applied")
REGION_STATUS = {
    "observedGeneration": 1,
    "conditions": [READY, build_condition("ZonePublished", "True", "Published")],
    "replicas": 3,
    "readyReplicas": 2,
    "zone": {"serial": 4294967295, "names": 1, "digest": "e3b0c44298fc1c14"},
    "endpoints": [{"name": "main-region-0", "address": "10.96.0.10"}],
}
RACK_STATUS = {
    "observedGeneration": 1,
    "conditions": [READY],
    "racks": {"desired": 4, "healthy": 2, "degraded": 1, "drained": 0, "unreachable": 1},
    "notHealthy": [{"node": "n3", "tier": "Degraded", "reason": "DaemonFailed", "message": "squid does not answer"}],
}
SUBNET_STATUS = {
    "observedGeneration": 1,
    "conditions": [READY, build_condition("RacksHealthy", "False", "Degraded")],
    "dnsName": "10-10-0-0--24.racks.example.com",
    "addresses": ["10.10.0.2", "10.10.0.3"],
    "racks": [{"name": "n1", "addresses": ["10.10.0.2"], "tier": "Healthy"}],
    "clientSettings": {
        "dnsServers": ["10.10.0.2", "10.10.0.3"],
        "metadataURL": "http://10-10-0-0--24.racks.example.com:5248/MAAS/metadata/",
        "aptProxyURL": "http://10-10-0-0--24.racks.example.com:8000/",
        "syslogServers": ["10-10-0-0--24.racks.example.com:5247"],
    },
}


@pytest.mark.parametrize(
    ("body", "status", "short_name", "expected"),
    [
        pytest.param(
            REGION,
            REGION_STATUS,
            "region",
            [
                "NAME=main",
                "DOMAIN=racks.example.com",
                "DESIRED=3",
                "UP=2",
                "SERIAL=4294967295",
                "READY=True",
                "REASON=Applied",
            ],
            id="region",
        ),
        pytest.param(
            RACK,
            RACK_STATUS,
            "rack",
            [
                "NAME=main",
                "REGION=",
                "DESIRED=4",
                "HEALTHY=2",
                "DEGRADED=1",
                "DRAINED=0",
                "UNREACHABLE=1",
                "READY=True",
                "REASON=Applied",
            ],
            id="rack",
        ),
        pytest.param(
            SUBNET,
            SUBNET_STATUS,
            "snet",
            [
                "NAME=main",
                "CIDR=10.10.0.0/24",
                "DNSNAME=10-10-0-0--24.racks.example.com",
                'ADDRESSES=["10.10.0.2","10.10.0.3"]',
                "READY=True",
                "RACKS=Degraded",
                "REASON=Applied",
            ],
            id="subnet",
        ),
    ],
)
def test_columns(
    api_server: ApiServer,
    resources: Resources,
    body: dict[str, Any],
    status: dict[str, Any],
    short_name: str,
    expected: list[str],
) -> None:
    resources.create(body)
    kept = resources.patch(body["kind"], "main", {"status": status}, status=True)
    assert kept["status"] == status
    shown = read_row(api_server.kubectl("get", short_name, "-o", "wide"))
    assert shown.pop().startswith("AGE=")
    assert shown == expected


def test_category_lists_all_three_kinds(api_server: ApiServer, resources: Resources) -> None:
    for body in (REGION, RACK, SUBNET):
        resources.create(body)
    listed = api_server.kubectl("get", "rackrelay", "-o", "name").split()
    assert sorted(listed) == [
        "rackcontroller.rackrelay.dev/main",
        "regioncontroller.rackrelay.dev/main",
        "subnet.rackrelay.dev/main",
    ]


def test_schemas_are_structural_and_served(api_server: ApiServer) -> None:
    template = '{range .items[*]}{.metadata.name}{range .status.conditions[*]} {.type}={.status}{end}{"\\n"}{end}'
    lines = api_server.kubectl("get", "crd", "-o", f"jsonpath={template}").splitlines()
    found = {line.split()[0]: set(line.split()[1:]) for line in lines}
    ours = {f"{plural}.rackrelay.dev" for plural in ("regioncontrollers", "rackcontrollers", "subnets")}
    assert {name: found[name] for name in ours} == {name: {"NamesAccepted=True", "Established=True"} for name in ours}


def test_every_field_is_explained(api_server: ApiServer) -> None:
    explained = api_server.kubectl("explain", "snet.spec.cidr")
    assert "canonical form" in explained
