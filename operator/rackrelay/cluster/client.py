"""The Kubernetes API as this operator uses it: plain dicts, server-side apply, errors in our own terms.

All exceptions of the client library are converted here, in one place.
"""

import json
import math
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client as kubernetes

from rackrelay import names
from rackrelay.cluster.endpoint import Endpoint
from rackrelay.errors import ClusterError, Conflict
from rackrelay.model.meta import Manifest

Fence = Callable[[], float]
TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 2.0
# A pod is ten kilobytes of text and ten times that as objects; parsing a page must not hold up probes.
PAGE = 100


def unfenced() -> float:
    """The fence of an operator that is alone: it may write for ever."""
    return math.inf


@dataclass(frozen=True)
class Kind:
    """Where objects of one kind live in the API."""

    name: str
    prefix: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As manifests spell it."""
        return self.prefix.removeprefix("apis/").removeprefix("api/")

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of a collection or, with a name, of an object or its subresource."""
        parts = [self.prefix]
        if self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


_OURS = f"apis/{names.API_VERSION}"
REGION = Kind("RegionController", _OURS, names.REGION_PLURAL)
RACK = Kind("RackController", _OURS, names.RACK_PLURAL)
SUBNET = Kind("Subnet", _OURS, names.SUBNET_PLURAL)
POD = Kind("Pod", "api/v1", "pods")
NODE = Kind("Node", "api/v1", "nodes", namespaced=False)
SECRET = Kind("Secret", "api/v1", "secrets")
CONFIG_MAP = Kind("ConfigMap", "api/v1", "configmaps")
SERVICE = Kind("Service", "api/v1", "services")
EVENT = Kind("Event", "api/v1", "events")
STATEFUL_SET = Kind("StatefulSet", "apis/apps/v1", "statefulsets")
DAEMON_SET = Kind("DaemonSet", "apis/apps/v1", "daemonsets")
LEASE = Kind("Lease", "apis/coordination.k8s.io/v1", "leases")

OWNED = (CONFIG_MAP, SERVICE, STATEFUL_SET, DAEMON_SET)
BY_NAME = {kind.name: kind for kind in (REGION, RACK, SUBNET, POD, NODE, SECRET, EVENT, *OWNED)}

MANAGED = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
SELECTORS = dict.fromkeys((POD, *OWNED), MANAGED)


class Client:
    """A connection to the API server. Every method raises ClusterError when it refuses or does not answer, and those
    that write raise NotLeading when another operator may."""

    fence: Fence = staticmethod(unfenced)

    def __init__(self, api: kubernetes.ApiClient, fence: Fence = unfenced) -> None:
        self._api = api
        self.fence = fence

    @classmethod
    def connect(cls, endpoint: Endpoint, fence: Fence = unfenced) -> "Client":
        """A client of one API server. `fence` is asked right before each write for how many seconds it may take."""
        return cls(kubernetes.ApiClient(endpoint.configuration), fence)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The object, or None when there is none."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    async def pages(self, kind: Kind, namespace: str = "", **query: str) -> AsyncIterator[list[Manifest]]:
        """What `list` gives, in parts, for who does not need to hold a thousand pods at once."""
        query.setdefault("limit", str(PAGE))
        if kind in SELECTORS:
            query.setdefault("labelSelector", SELECTORS[kind])
        while True:
            page = await self._call("GET", kind.path(namespace), query)
            # Items of a LIST do not say what they are; objects from everywhere else do.
            yield [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in page["items"]]
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return

    async def list(self, kind: Kind, namespace: str = "", **query: str) -> list[Manifest]:
        """All objects of a kind in a namespace; only ours where the kind is shared with others."""
        return [item async for page in self.pages(kind, namespace, **query) for item in page]

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest | None:
        """The object as created, or None when one of that name exists."""
        try:
            query = {"fieldManager": names.FIELD_MANAGER}
            return await self._call("POST", kind.path(manifest["metadata"]["namespace"]), query, manifest)
        except Conflict:
            return None

    async def apply(self, kind: Kind, manifest: Manifest, subresource: str = "") -> Manifest:
        """The object after server-side apply with our field manager.

        Raises:
            Conflict: the manifest names a resourceVersion that is no longer the newest.
        """
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"], subresource)
        query = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
        return await self._call("PATCH", path, query, manifest, "application/apply-patch+yaml")

    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest:
        """The object after it was written as a whole.

        Raises:
            Conflict: the manifest's resourceVersion is no longer the newest.
        """
        metadata = manifest["metadata"]
        query = {"fieldManager": names.FIELD_MANAGER}
        return await self._call("PUT", kind.path(metadata["namespace"], metadata["name"]), query, manifest)

    async def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Set annotations on an object that others own too."""
        body = {"metadata": {"annotations": dict(annotations)}}
        query = {"fieldManager": names.FIELD_MANAGER}
        await self._call("PATCH", kind.path(namespace, name), query, body, "application/merge-patch+json")

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> None:
        """Delete an object; one that is gone already is no error.

        Raises:
            Conflict: another object has that name now; with a uid only the one that was meant is deleted.
        """
        body = {"preconditions": {"uid": uid}} if uid else None
        try:
            await self._call("DELETE", kind.path(namespace, name), body=body)
        except ClusterError as error:
            if error.status != 404:
                raise

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        url = self._api.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "User-Agent": "rackrelay", "Content-Type": content_type}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        total_s = TIMEOUT_S if method == "GET" else min(TIMEOUT_S, self.fence())
        timeout = aiohttp.ClientTimeout(total=total_s, connect=min(total_s, CONNECT_TIMEOUT_S))
        try:
            response = await self._api.call_api(method, url, headers, body, _request_timeout=timeout)
            text = await response.read()  # type: ignore[no-untyped-call]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterError(f"{method} {path}: {error or type(error).__name__}") from error
        return _answer(method, path, response.status, text)


def _answer(method: str, path: str, status: int, text: bytes) -> Manifest:
    if status < 300:
        answer: Manifest = json.loads(text)
        return answer
    try:
        message = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        message = text[:200].decode(errors="replace")
    if status == 409:
        raise Conflict(f"{method} {path}: {message}")
    raise ClusterError(f"{method} {path}: HTTP {status}: {message}", status)
