"""From a mounted file to this node's own: placeholders replaced, the result known by its hash. Pure."""

import hashlib
from dataclasses import dataclass

from rackrelay import names
from rackrelay.agent.settings import NodeValues


@dataclass(frozen=True)
class Expanded:
    """A file as the daemon reads it, and the hash that the daemon gives away once it runs it."""

    text: str
    hash: str


def expand(template: str, values: NodeValues) -> Expanded:
    """The file with the node's values; the hash is of that text, before the hash itself is put in."""
    text = template.replace(names.PLACEHOLDER_NODE_IP, values.node_ip)
    text = text.replace(names.PLACEHOLDER_NODE_NAME, values.node_name)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Expanded(text.replace(names.PLACEHOLDER_CONFIG_HASH, digest), digest)
