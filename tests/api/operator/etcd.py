"""Hands on etcd itself, while no API server is there to be asked."""

import base64
import json
import urllib.request
from typing import Any

from lab.apiserver import ApiServer
from rackrelay import names

PREFIX = "/registry"


class Etcd:
    """The store behind one API server, by the JSON gateway of etcd's own API."""

    def __init__(self, server: ApiServer) -> None:
        self._url = server.etcd_url

    def delete_resource(self, plural: str, namespace: str, name: str) -> None:
        """One of our resources is gone, as if it had been deleted through an API server."""
        self.delete(f"{PREFIX}/{names.GROUP}/{plural}/{namespace}/{name}")

    def delete(self, key: str) -> None:
        """The key is gone."""
        answer = self._post("kv/deleterange", {"key": _encode(key)})
        assert int(answer.get("deleted", 0)) == 1, f"{key} is not in etcd"

    def compact(self) -> None:
        """No revision but the newest can be read or watched from any more."""
        for value in ("1", "2"):
            answer = self._post("kv/put", {"key": _encode("/compaction"), "value": _encode(value)})
        self._post("kv/compaction", {"revision": answer["header"]["revision"], "physical": True})

    def _post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{self._url}/v3/{call}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            return dict(json.load(response))


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
