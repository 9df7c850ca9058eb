"""The metadata that every resource of ours has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# An object of Kubernetes as plain data.
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Meta:
    """Identity of one object. `created` is the API server's text (RFC 3339, sorts as text)."""

    namespace: str
    name: str
    uid: str = ""
    generation: int = 0
    created: str = ""
    deleting: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return (self.namespace, self.name)

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Meta":
        """Meta from an object's `metadata`."""
        metadata = body["metadata"]
        return cls(
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            generation=metadata.get("generation", 0),
            created=metadata.get("creationTimestamp", ""),
            deleting="deletionTimestamp" in metadata,
        )
