"""A Client that keeps objects in memory and remembers what was written, for decisions that need no API server."""

import base64
from collections.abc import AsyncIterator
from typing import Any

from rackrelay.cluster.client import Client, Kind
from rackrelay.errors import ClusterError, Conflict
from rackrelay.model.meta import Manifest


class FakeClient(Client):
    """Writes go to `objects`, and a line for each to `writes`. `fail`: every call raises ClusterError."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Manifest] = {}
        self.writes: list[str] = []
        self.fail = False
        self._version = 0

    def put(self, kind: Kind, manifest: Manifest) -> Manifest:
        """What somebody else wrote."""
        self._version += 1
        metadata = {**manifest["metadata"], "resourceVersion": str(self._version)}
        stored = {**manifest, "metadata": metadata}
        if "stringData" in stored:
            texts = stored.pop("stringData").items()
            stored["data"] = {key: base64.b64encode(text.encode()).decode() for key, text in texts}
        self.objects[self._key(kind, manifest)] = stored
        return stored

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        self._check()
        return self.objects.get((kind.name, namespace, name))

    async def pages(self, kind: Kind, namespace: str = "", **query: str) -> AsyncIterator[list[Manifest]]:
        self._check()
        yield [o for (k, ns, _), o in self.objects.items() if k == kind.name and ns == namespace]

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest | None:
        self._check()
        if self._key(kind, manifest) in self.objects:
            return None
        return self._write("create", kind, manifest)

    async def apply(self, kind: Kind, manifest: Manifest, subresource: str = "") -> Manifest:
        self._check()
        live = self.objects.get(self._key(kind, manifest), {"metadata": {}})
        wanted = manifest["metadata"].get("resourceVersion")
        if wanted is not None and wanted != live["metadata"].get("resourceVersion"):
            raise Conflict(f"{kind.name} was written meanwhile")
        if subresource:
            manifest = {
                **live,
                subresource: manifest[subresource],
                "metadata": {**live["metadata"], **manifest["metadata"]},
            }
        return self._write(f"apply {subresource}".strip(), kind, manifest)

    async def annotate(self, kind: Kind, namespace: str, name: str, annotations: Any) -> None:
        self._check()
        self.writes.append(f"annotate {kind.name} {name}")

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> None:
        self._check()
        self.writes.append(f"delete {kind.name} {name}")
        self.objects.pop((kind.name, namespace, name), None)

    def _write(self, verb: str, kind: Kind, manifest: Manifest) -> Manifest:
        self.writes.append(f"{verb} {kind.name} {manifest['metadata']['name']}")
        return self.put(kind, manifest)

    def _check(self) -> None:
        if self.fail:
            raise ClusterError("the API server does not answer")

    @staticmethod
    def _key(kind: Kind, manifest: Manifest) -> tuple[str, str, str]:
        return (kind.name, manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])
