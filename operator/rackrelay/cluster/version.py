"""Which of two states of one object is the newer one.

Kubernetes lets resourceVersions of one kind be compared as numbers (KEP-5504); before it did so, they were the
revisions of etcd.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rackrelay.errors import StoreSetBack


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


@dataclass
class HighWater:
    """The greatest resourceVersion of one kind that an API server has shown, read one after the other.

    etcd that is restored from a backup counts on from there. Watches that were open then stay silent until it has come
    as far as it was, and an API server says nothing of that.
    """

    number: int = 0

    def rise(self, body: Mapping[str, Any]) -> None:
        """Take note of an object that was just read or written.

        Raises:
            StoreSetBack: it is older than what was seen before; from then on this is where counting begins.
        """
        version = read_version(body)
        if version is None:
            return
        before, self.number = self.number, version.number
        if version.number < before:
            raise StoreSetBack(
                f"the API server's store has been set back from version {before} to {version.number}, "
                "by a backup that was restored perhaps: starting anew"
            )
