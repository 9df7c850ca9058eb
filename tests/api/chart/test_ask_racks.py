"""The script of `helm test` against a real API server, with the rights that the chart gives it and no others."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from lab.apiserver import ApiServer
from tests.api.chart.helm import load, render
from tests.unit.chart.test_ask_racks import ask_racks

pytestmark = pytest.mark.api
SUBNET = {"apiVersion": "rackrelay.dev/v1alpha1", "kind": "Subnet", "metadata": {"name": "a"}}
STATUS = {
    "dnsName": "10-10-0-0--24.maas-internal",
    "addresses": ["10.10.0.2"],
    "racks": [{"name": "rack1", "addresses": ["10.10.0.2"], "tier": "Healthy"}],
}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """An API server with the chart's objects but its Deployment, and what `helm test` adds but its pod."""
    with ApiServer() as server:
        server.kubectl("create", "namespace", "rackrelay")
        objects = [found for found in load(render()) if found["kind"] not in ("Deployment", "Pod")]
        # Definitions and namespaces come first, as helm sorts them.
        for kinds in (("CustomResourceDefinition", "Namespace"), ("ServiceAccount", "Role", "RoleBinding")):
            chosen = [found for found in objects if found["kind"] in kinds]
            server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(chosen))
        server.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "subnets.rackrelay.dev")
        server.kubectl("-n", "machines", "create", "serviceaccount", "default")
        yield server


@pytest.fixture
def script(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as it runs in its pod: the token, the cluster's certificate and its address."""
    kubeconfig = yaml.safe_load(server.kubeconfig.read_text())
    (tmp_path / "ca.crt").write_bytes(_authority(kubeconfig["clusters"][0]["cluster"]))
    (tmp_path / "token").write_text(server.kubectl("-n", "rackrelay", "create", "token", "rackrelay-test"))
    address, port = server.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", address)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(ask_racks, "ACCOUNT", str(tmp_path))
    return ask_racks


def test_an_empty_namespace_is_no_failure(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["machines"]) == 0
    assert "nothing to ask" in capsys.readouterr().out


def test_racks_are_found_by_their_pods(server: ApiServer, script: ModuleType) -> None:
    put(server, "subnets.rackrelay.dev", SUBNET | {"spec": {"cidr": "10.10.0.0/24"}}, STATUS)
    rack = {"name": "demo-rack-x", "labels": {"app.kubernetes.io/component": "rack"}}
    put(server, "pods", build_pod(rack), {"hostIP": "192.0.2.21", "hostIPs": [{"ip": "192.0.2.21"}]})
    put(server, "pods", build_pod({"name": "other"}), {"hostIP": "192.0.2.9", "hostIPs": [{"ip": "192.0.2.9"}]})
    served, (question,) = script.read_questions(["machines"])
    assert served == 1
    assert question == ("rack1", "192.0.2.21", STATUS["dnsName"], "A", frozenset({"10.10.0.2"}))


def build_pod(metadata: dict[str, Any]) -> dict[str, Any]:
    spec = {"nodeName": "rack1", "automountServiceAccountToken": False, "containers": [{"name": "a", "image": "a"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def put(server: ApiServer, kind: str, manifest: dict[str, Any], status: dict[str, Any]) -> None:
    """An object with the status that others would write."""
    server.kubectl("-n", "machines", "apply", "-f", "-", stdin=json.dumps(manifest))
    change = json.dumps({"status": status})
    name = manifest["metadata"]["name"]
    server.kubectl("-n", "machines", "patch", kind, name, "--subresource=status", "--type=merge", "--patch", change)


def _authority(cluster: dict[str, str]) -> bytes:
    """The certificate of the API server's authority, from a kubeconfig's cluster."""
    return Path(cluster["certificate-authority"]).read_bytes()
