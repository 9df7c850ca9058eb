"""The digest by which operator and agent tell one version of a ConfigMap from another."""

import hashlib
import json
from collections.abc import Mapping


def config_digest(data: Mapping[str, str]) -> str:
    """16 hex digits over a ConfigMap's data (file name -> text), whatever the order of its keys."""
    text = json.dumps(dict(data), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
