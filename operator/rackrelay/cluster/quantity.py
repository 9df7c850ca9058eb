"""Quantities of CPU and memory, which the API server does not store as they were written: 1000m becomes 1."""

from collections.abc import Mapping
from typing import Any

from kubernetes.utils.quantity import parse_quantity


def normalize_quantities(resources: Any) -> Any:
    """A container's `resources` with numbers for its requests and limits, so that equal ones compare equal."""
    if not isinstance(resources, Mapping):
        return resources
    normal = dict(resources)
    for part in ("requests", "limits"):
        if isinstance(normal.get(part), Mapping):
            normal[part] = {kind: _number(amount) for kind, amount in normal[part].items()}
    return normal


def _number(amount: Any) -> Any:
    try:
        return parse_quantity(amount)  # type: ignore[no-untyped-call]
    except ValueError:
        return amount
