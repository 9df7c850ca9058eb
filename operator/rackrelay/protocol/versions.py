"""How a document says in which form it is, and whether this release can read it.

Agents and operators of neighbouring releases talk to each other during every upgrade, in both directions. Within a
version a release may only add fields that readers can do without; readers leave alone what they do not know. A new
version is read one release before it is written. What has no version is of the first.
"""

from collections.abc import Mapping
from typing import Any

FIELD = "documentVersion"
WRITTEN = 1
READ = frozenset({1})


class UnknownVersion(ValueError):
    """The document is of a release that this one cannot read."""


def check_version(document: Mapping[str, Any], name: str) -> None:
    """Whether this release can read a document; `name` is what people call it.

    Raises:
        UnknownVersion: it cannot.
        TypeError: it is no JSON object.
    """
    if not isinstance(document, Mapping):
        raise TypeError(f"{name} is no JSON object")
    version = document.get(FIELD, 1)
    if version not in READ:
        readable = ", ".join(str(number) for number in sorted(READ))
        raise UnknownVersion(
            f"{name} is of version {version!r}, this release reads {readable}: operator and pods are more than one "
            "release apart, upgrade the older one"
        )
