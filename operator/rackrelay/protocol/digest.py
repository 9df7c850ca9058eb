"""The digest by which the operator and agents tell one version of something from another."""

import hashlib
import json
from collections.abc import Mapping


def digest(value: object) -> str:
    """16 hex digits over anything that JSON can hold, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def config_digest(data: Mapping[str, str]) -> str:
    """The digest of a ConfigMap's data (file name -> text)."""
    return digest(dict(data))
