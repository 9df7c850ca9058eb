"""From a mounted file to this node's own: placeholders replaced, the result known by its hash. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from rackrelay import names
from rackrelay.agent.settings import NodeValues


@dataclass(frozen=True)
class Expanded:
    """A file as the daemon reads it, and the hash that the daemon gives away once it runs it.

    `companions`: name -> text of further files that the first one names; the hash is theirs as well.
    """

    text: str
    hash: str
    companions: Mapping[str, str] = field(default_factory=dict)


def expand(template: str, values: NodeValues, companions: Mapping[str, str] | None = None) -> Expanded:
    """The file with the node's values; the hash is of that text, before the hash itself is put in."""
    companions = companions or {}
    text = template.replace(names.PLACEHOLDER_NODE_IP, values.node_ip)
    text = text.replace(names.PLACEHOLDER_NODE_NAME, values.node_name)
    hashed = "".join([text, *(f"\0{name}\0{companions[name]}" for name in sorted(companions))])
    digest = hashlib.sha256(hashed.encode()).hexdigest()[:16]
    return Expanded(text.replace(names.PLACEHOLDER_CONFIG_HASH, digest), digest, companions)


def companions_of(file: str, data: Mapping[str, str]) -> dict[str, str]:
    """What belongs to a daemon besides its file: for named.conf everything else that is called named.*."""
    stem = file.partition(".")[0]
    return {name: text for name, text in data.items() if name.startswith(f"{stem}.") and name != file}
