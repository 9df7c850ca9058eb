"""What users get wrong: each is told by a condition that says what to do, and heals once it is put right."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.cluster import Lab
from lab.demo.report import Report
from tests.e2e.namespaces import FAULTS

pytestmark = pytest.mark.e2e

SPARE = "rackrelay.dev/role=spare"
REGION = """
apiVersion: rackrelay.dev/v1alpha1
kind: RegionController
metadata: {name: site}
spec: {replicas: 1, domain: faults-internal, dns: {dnssecValidation: Disabled},
       pods: {nodeSelector: {rackrelay.dev/role: region}}}
"""
RACK = """
apiVersion: rackrelay.dev/v1alpha1
kind: RackController
metadata: {name: site}
spec: {pods: {nodeSelector: {rackrelay.dev/role: spare}}}
"""
SUBNET = """
apiVersion: rackrelay.dev/v1alpha1
kind: Subnet
metadata: {name: NAME}
spec: {cidr: 10.20.0.0/24}
"""


@pytest.fixture
def namespace(installed: Report) -> Iterator[Lab]:
    """The second region namespace, empty and with rack4 labelled for it; empty again afterwards."""
    lab = installed.lab
    lab.kubectl("label", "node", "rack4", SPARE, "--overwrite")
    try:
        yield lab
    finally:
        lab.kubectl("delete", "rack,snet,region", "--all", "-n", FAULTS, "--wait=false")
        lab.kubectl("label", "node", "rack4", "rackrelay.dev/role-")
        lab.kubectl("label", "namespace", FAULTS, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
        installed.wait("pods are gone", lambda: not lab.kubectl_json("get", "pods", "-n", FAULTS)["items"], 120)


def apply(lab: Lab, text: str) -> None:
    lab.kubectl("apply", "-n", FAULTS, "-f", "-", stdin=text)


def condition(lab: Lab, kind: str, name: str, wanted: str) -> dict[str, Any]:
    """A condition of a resource; empty when it has none of that type."""
    status = lab.kubectl_json("get", kind, name, "-n", FAULTS).get("status", {})
    return next((c for c in status.get("conditions", []) if c["type"] == wanted), {})


def wait_for(report: Report, kind: str, name: str, wanted: tuple[str, str], patience_s: float = 90) -> str:
    """The message of a condition once it has the wanted reason."""

    def found() -> str:
        now = condition(report.lab, kind, name, wanted[0])
        return str(now["message"]) if now.get("reason") == wanted[1] else ""

    return report.wait(f"{kind} {name}: {wanted[0]} says {wanted[1]}", found, patience_s)


def test_rack_waits_for_its_region_and_without_a_subnet_for_its_address_is_named(
    installed: Report, namespace: Lab
) -> None:
    apply(namespace, RACK)
    assert "create one" in wait_for(installed, "rack", "site", ("Ready", "RegionNotFound"))
    apply(namespace, REGION)
    wait_for(installed, "rack", "site", ("Ready", "Applied"), 120)

    def listed() -> str:
        status = namespace.kubectl_json("get", "rack", "site", "-n", FAULTS)["status"]
        return " ".join(e["message"] for e in status.get("notHealthy", []) if e["reason"] == "NoSubnet")

    assert "10.20.0.5" in installed.wait("NoSubnet", listed, 60)
    apply(namespace, SUBNET.replace("NAME", "first"))
    wait_for(installed, "rack", "site", ("RacksHealthy", "AllHealthy"))


def test_equal_subnets_the_older_one_counts(installed: Report, namespace: Lab) -> None:
    apply(namespace, REGION)
    apply(namespace, SUBNET.replace("NAME", "first"))
    wait_for(installed, "snet", "first", ("Ready", "NoRackAddress"), 120)
    apply(namespace, SUBNET.replace("NAME", "second"))
    message = wait_for(installed, "snet", "second", ("Stalled", "DuplicateCIDR"))
    assert "spec.cidr" in message
    assert "first" in message
    namespace.kubectl("delete", "snet", "first", "-n", FAULTS)
    wait_for(installed, "snet", "second", ("Ready", "NoRackAddress"))


def test_missing_image_is_named(installed: Report, namespace: Lab) -> None:
    missing = "localhost/rackrelay/nothing:0"
    apply(namespace, REGION)
    apply(namespace, RACK.replace("pods: {", f"pods: {{image: '{missing}', "))
    message = wait_for(installed, "rack", "site", ("Ready", "PodsNotReady"), 120)
    assert missing in message
    assert "pods.image" in message


def test_namespace_that_forbids_host_network_is_told_and_heals(installed: Report, namespace: Lab) -> None:
    namespace.kubectl("label", "namespace", FAULTS, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
    apply(namespace, REGION)
    apply(namespace, RACK)
    message = wait_for(installed, "rack", "site", ("Ready", "PodsRefused"), 120)
    assert "pod-security.kubernetes.io/enforce=privileged" in message
    # Region pods pass `restricted` as they are.
    wait_for(installed, "region", "site", ("Ready", "Applied"), 120)
    namespace.kubectl("label", "namespace", FAULTS, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    wait_for(installed, "rack", "site", ("Ready", "Applied"), 180)
