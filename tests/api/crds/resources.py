"""Sends resources to the API server as users do, and keeps its words when it refuses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

GROUP, VERSION, NAMESPACE = "rackrelay.dev", "v1alpha1", "default"
FOLDER = Path(__file__).parent

Manifest = dict[str, Any]


def load_cases(file: str) -> list[Any]:
    """One pytest parameter for each (kind, case) of a table of this folder."""
    table = yaml.safe_load((FOLDER / file).read_text())
    return [pytest.param(kind, case, id=f"{kind}: {case['case']}") for kind, cases in table.items() for case in cases]


def build_resource(kind: str, case: Manifest) -> Manifest:
    """The resource that a case of a table stands for."""
    metadata = {"name": case.get("name", "case")}
    body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": metadata}
    return body | ({"spec": case["spec"]} if "spec" in case else {})


@dataclass(frozen=True)
class Resources:
    """Custom resources of one namespace. Every call raises ApiException with the API server's answer."""

    api: client.CustomObjectsApi

    def create(self, body: Manifest, dry_run: bool = False) -> Manifest:
        options = {"dry_run": "All"} if dry_run else {}
        create: Any = self.api.create_namespaced_custom_object
        return dict(create(*self._of(body["kind"]), body, field_validation="Strict", **options))

    def patch(self, kind: str, name: str, change: Manifest, status: bool = False) -> Manifest:
        """The object after a JSON merge patch."""
        call: Any = (
            self.api.patch_namespaced_custom_object_status if status else self.api.patch_namespaced_custom_object
        )
        return dict(call(*self._of(kind), name, change, _content_type="application/merge-patch+json"))

    def delete_all(self) -> None:
        for kind in ("RegionController", "RackController", "Subnet"):
            self.api.delete_collection_namespaced_custom_object(*self._of(kind))

    @staticmethod
    def _of(kind: str) -> tuple[str, str, str, str]:
        return GROUP, VERSION, NAMESPACE, f"{kind.lower()}s"


def refusal(error: ApiException) -> str:
    """What the API server says to the user."""
    return str(yaml.safe_load(error.body or "")["message"])
