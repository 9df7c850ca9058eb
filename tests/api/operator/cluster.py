"""An API server as its administrator and its kubelets use it: plain dicts in and out."""

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from lab.apiserver import ApiServer
from lab.paths import REPOSITORY
from rackrelay.cluster.client import BY_NAME, Kind

Manifest = dict[str, Any]
T = TypeVar("T")

JSON = "application/json"
MERGE = "application/merge-patch+json"
PATIENCE_S = 90.0
# Longer than any bench takes.
TOKEN_LASTS_S = 4 * 3600
WRITES = ("APPLY", "DELETE", "DELETECOLLECTION", "PATCH", "POST", "PUT")
RESOURCES = {kind.plural for kind in BY_NAME.values()}


def install_definitions(server: ApiServer) -> None:
    """The API server knows rackrelay's resources."""
    folder = str(REPOSITORY / "crds")
    server.kubectl("apply", "-f", folder)
    server.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", folder)


class Cluster:
    """The objects of one API server. Every call raises ApiException with the API server's answer."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        connect: Any = config.new_client_from_config
        self._api: client.ApiClient = connect(str(server.kubeconfig))

    def close(self) -> None:
        close: Any = self._api.close
        close()

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The object, None when there is none."""
        try:
            found: Manifest = self._call("GET", kind.path(namespace, name))
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return found

    def list_all(self, kind: Kind, namespace: str = "") -> list[Manifest]:
        """All objects of a kind in a namespace."""
        return list(self._call("GET", kind.path(namespace))["items"])

    def create(self, kind: Kind, manifest: Manifest, dry_run: bool = False) -> Manifest:
        path = kind.path(manifest["metadata"].get("namespace", ""))
        created: Manifest = self._call("POST", path + ("?dryRun=All" if dry_run else ""), manifest)
        return created

    def apply(self, kind: Kind, manifest: Manifest) -> None:
        """What `kubectl apply --server-side` does."""
        metadata = manifest["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"]) + "?fieldManager=kubectl&force=true"
        self._call("PATCH", path, manifest, "application/apply-patch+yaml")

    def request_token(self, namespace: str, account: str) -> str:
        """A token of a service account. Nobody replaces it, as the kubelet does with those of pods: it lasts."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        spec = {"expirationSeconds": TOKEN_LASTS_S}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self._call("POST", path, request)["status"]["token"])

    def patch(self, kind: Kind, namespace: str, name: str, change: Manifest, subresource: str = "") -> Manifest:
        """The object after a JSON merge patch."""
        patched: Manifest = self._call("PATCH", kind.path(namespace, name, subresource), change, MERGE)
        return patched

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Gone at once: no kubelet is there to stop a pod in good order."""
        self._call("DELETE", kind.path(namespace, name), {"gracePeriodSeconds": 0})

    def watch_from(self, kind: Kind, namespace: str, version: str) -> Any:
        """What a watch from a version answers within a second."""
        query = f"?watch=true&timeoutSeconds=1&resourceVersion={version}"
        events = self._ask("GET", kind.path(namespace) + query)
        for event in map(json.loads, events.splitlines()):
            if event["type"] == "ERROR":
                raise ApiException(event["object"]["code"], event["object"]["reason"])
        return events

    def count_writes(self) -> dict[str, int]:
        """Requests so far, from whomever, that would change objects of the kinds that rackrelay uses."""
        text = self._ask("GET", "/metrics")
        counts: dict[str, int] = {}
        for line in text.splitlines():
            if not line.startswith("apiserver_request_total{"):
                continue
            labels = dict(part.split("=", 1) for part in line[line.index("{") + 1 : line.index("}")].split(","))
            verb, resource = labels["verb"].strip('"'), labels["resource"].strip('"')
            if verb in WRITES and resource in RESOURCES:
                counts[f"{verb} {resource}"] = counts.get(f"{verb} {resource}", 0) + int(float(line.rsplit(" ", 1)[1]))
        return counts

    def _call(self, method: str, path: str, body: Manifest | None = None, content_type: str = JSON) -> Any:
        text = self._ask(method, path, body, content_type)
        return json.loads(text)

    def _ask(self, method: str, path: str, body: Manifest | None = None, content_type: str = JSON) -> str:
        headers = {"Accept": "*/*", "Content-Type": content_type}
        api: Any = self._api
        api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = self._api.configuration.host + path
        response: Any = api.call_api(method, url, headers, body, _request_timeout=30)
        text = response.read().decode()
        if response.status >= 300:
            raise ApiException(response.status, text)
        return str(text)


def wait_for(
    what: str, look: Callable[[], T | None], explain: Callable[[], str] = str, patience_s: float = PATIENCE_S
) -> T:
    """The first true value that `look` gives; when time is up, an error that says what was waited for."""
    deadline = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s:g} s: {what}\n{explain()}")
        time.sleep(0.05)
