"""Which of two states of one object is the newer one.

Kubernetes lets resourceVersions of one kind be compared as numbers (KEP-5504); before it did so, they were the
revisions of etcd.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Version:
    """One state of the object with this uid; `number` is its resourceVersion."""

    uid: str
    number: int

    def is_older_than(self, other: "Version") -> bool:
        """Whether it came before another state of the same object; an object made anew is another one."""
        return self.uid == other.uid and self.number < other.number


def read_version(body: Mapping[str, Any]) -> Version | None:
    """The state that an object is in; None when it cannot be compared, because it is not counted."""
    metadata = body["metadata"]
    text = metadata.get("resourceVersion", "")
    return Version(metadata.get("uid", ""), int(text)) if text.isdecimal() else None
