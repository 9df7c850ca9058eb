"""What the operator knows of the cluster: one small record per object, kept true by events and by LISTs.

kopf can lose deletions after a relist, so a LIST now and then removes what is no longer there. What an event touched
while the LIST was under way is newer than the LIST and stays. An event that is older than what is known, such as one
that the answer to our own write overtook, is left out; a LIST never is, for etcd may have been restored. A LIST that
would take away all objects of a kind, or most Nodes, may as well be an API server's mistake: it counts once the next
one agrees.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rackrelay.cluster.client import NODE, OWNED, POD, RACK, REGION, SUBNET, Kind
from rackrelay.cluster.version import Version, read_version
from rackrelay.model.meta import Manifest
from rackrelay.model.observed import Node, Pod, parse_node, parse_pod
from rackrelay.model.rack import RackController, parse_rack
from rackrelay.model.region import RegionController, parse_region
from rackrelay.model.subnet import Subnet, parse_subnet

Key = tuple[str, str]
T = TypeVar("T")
KINDS = (REGION, RACK, SUBNET, POD, NODE, *OWNED)


@dataclass(frozen=True)
class Resource:
    """One of our custom resources with the status that it has now."""

    spec: RegionController | RackController | Subnet
    status: Mapping[str, Any]


Record = Resource | Pod | Node | Manifest
Listed = tuple[Record, Version | None]


@dataclass
class Cache:
    """Records by kind and (namespace, name). Records are immutable; a changed object is a new record.

    `doubts`: what the last LIST of a kind in a namespace did not find, and another one is to confirm. `_touched`: when
    an event or a write last told of an object, as far as a LIST that is under way may ask.
    """

    doubts: dict[tuple[Kind, str], frozenset[Key]] = field(default_factory=dict)
    _records: dict[Kind, dict[Key, Record]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    _versions: dict[tuple[Kind, Key], Version | None] = field(default_factory=dict)
    _touched: dict[tuple[Kind, Key], int] = field(default_factory=dict)
    _clock: int = 0
    _revisions: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    _derived: dict[Hashable, tuple[tuple[int, ...], Any]] = field(default_factory=dict)

    def upsert(self, kind: Kind, body: Mapping[str, Any]) -> tuple[Record | None, Record] | None:
        """(before, after) when the object changed in anything that counts, None otherwise."""
        key, version = object_key(body), read_version(body)
        known = self._versions.get((kind, key))
        if version is not None and known is not None and version.is_older_than(known):
            return None
        self._touch(kind, key)
        return self._put(kind, key, (_PARSERS[kind](body), version))

    def _put(self, kind: Kind, key: Key, listed: Listed) -> tuple[Record | None, Record] | None:
        record, self._versions[kind, key] = listed
        before = self._records[kind].get(key)
        if before == record:
            return None
        self._records[kind][key] = record
        if _spec(before) != _spec(record):
            self._revisions[kind] += 1
        return (before, record)

    def remove(self, kind: Kind, key: Key) -> Record | None:
        """The record that was there."""
        self._touch(kind, key)
        return self._drop(kind, key)

    def _drop(self, kind: Kind, key: Key) -> Record | None:
        self._revisions[kind] += 1
        self._versions.pop((kind, key), None)
        if kind in (REGION, RACK):
            # Nobody asks any more for what was computed for it.
            self._derived.clear()
        return self._records[kind].pop(key, None)

    def mark(self) -> int:
        """A point in time to hand to `sweep` after a LIST that begins now."""
        return self._clock

    def sweep(
        self, kind: Kind, namespace: str, found: Mapping[Key, Listed], mark: int
    ) -> Iterator[tuple[Record | None, Record | None]]:
        """Bring a namespace to the records that a LIST found; yields (before, after) of each change."""
        known = [key for key in self._records[kind] if key[0] == namespace]
        gone = frozenset(key for key in known if key not in found)
        for key in self._confirm(kind, namespace, gone, len(known)):
            if self._touched.get((kind, key), 0) <= mark:
                yield (self._drop(kind, key), None)
        for key, listed in found.items():
            if self._touched.get((kind, key), 0) <= mark:
                changed = self._put(kind, key, listed)
                if changed:
                    yield changed
        self._forget_touches(kind, namespace, mark)

    def _confirm(self, kind: Kind, namespace: str, gone: frozenset[Key], known: int) -> list[Key]:
        """Those of the missing keys that may go now, in order."""
        doubted = self.doubts.pop((kind, namespace), frozenset())
        few = known // 2 if kind == NODE else known - 1
        if not gone or len(gone) <= few:
            return sorted(gone)
        if gone - doubted:
            self.doubts[kind, namespace] = gone - doubted
        return sorted(gone & doubted)

    def derive(self, what: Hashable, kinds: tuple[Kind, ...], compute: Callable[[], T]) -> T:
        """What `compute` gives, computed anew only after objects of these kinds changed in more than their status.

        Everybody who asks for the same `what` gets the same object, and must not change it.
        """
        now = tuple(self._revisions[kind] for kind in kinds)
        known = self._derived.get(what)
        if known is None or known[0] != now:
            known = self._derived[what] = (now, compute())
        value: T = known[1]
        return value

    def regions(self, namespace: str) -> list[RegionController]:
        """The RegionControllers of a namespace, by name."""
        return self._specs(REGION, RegionController, namespace)

    def racks(self, namespace: str) -> list[RackController]:
        """The RackControllers of a namespace, by name."""
        return self._specs(RACK, RackController, namespace)

    def subnets(self, namespace: str) -> list[Subnet]:
        """The Subnets of a namespace, by name."""
        return self._specs(SUBNET, Subnet, namespace)

    def resource(self, kind: Kind, key: Key) -> Resource | None:
        """One custom resource with its status."""
        record = self._records[kind].get(key)
        return record if isinstance(record, Resource) else None

    def subnet_status(self, subnet: Subnet) -> Mapping[str, Any]:
        """The status that a Subnet has now; empty when it has none."""
        resource = self.resource(SUBNET, subnet.meta.key)
        return resource.status if resource else {}

    def pods(self, namespace: str) -> list[Pod]:
        """Our pods in a namespace, by name."""
        return self.derive((POD, namespace), (POD,), lambda: self._in(POD, namespace, Pod))

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        return self.derive((NODE, ""), (NODE,), lambda: self._in(NODE, "", Node))

    def owned(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """An object of ours as the API server has it."""
        record = self._records[kind].get((namespace, name))
        return record if isinstance(record, dict) else None

    def all_owned(self, kind: Kind, namespace: str) -> list[Manifest]:
        """All objects of ours of one kind in a namespace."""
        return [m for (ns, _), m in self._records[kind].items() if ns == namespace and isinstance(m, dict)]

    def _specs(self, kind: Kind, what: type[T], namespace: str) -> list[T]:
        def compute() -> list[T]:
            return [r.spec for r in self._in(kind, namespace, Resource) if isinstance(r.spec, what)]

        return self.derive((kind, namespace), (kind,), compute)

    def _in(self, kind: Kind, namespace: str, what: type[T]) -> list[T]:
        items = sorted(self._records[kind].items(), key=_by_key)
        return [record for (ns, _), record in items if ns == namespace and isinstance(record, what)]

    def _touch(self, kind: Kind, key: Key) -> None:
        self._clock += 1
        self._touched[(kind, key)] = self._clock

    def _forget_touches(self, kind: Kind, namespace: str, mark: int) -> None:
        """No LIST of these objects that began before the mark is under way any more."""
        old = [
            what
            for what, clock in self._touched.items()
            if clock <= mark and what[0] == kind and what[1][0] == namespace
        ]
        for what in old:
            del self._touched[what]


def parse_records(kind: Kind, bodies: Iterable[Mapping[str, Any]]) -> dict[Key, Listed]:
    """The records of objects with their versions, which need a tenth of the memory."""
    return {object_key(body): (_PARSERS[kind](body), read_version(body)) for body in bodies}


def object_key(body: Mapping[str, Any]) -> Key:
    """(namespace, name) of an object; the namespace of a Node is empty."""
    metadata = body["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])


def _spec(record: Record | None) -> object:
    """What lists and whatever is derived from them are made of."""
    return record.spec if isinstance(record, Resource) else record


def _by_key(item: tuple[Key, object]) -> Key:
    return item[0]


def _resource(parse: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Record]:
    return lambda body: Resource(parse(body), dict(body.get("status", {})))


def _manifest(body: Mapping[str, Any]) -> Manifest:
    """What apply compares with. Status ticks, and managedFields are as long as the object; the workloads' counts come
    from the pods."""
    metadata = {k: v for k, v in body["metadata"].items() if k not in ("managedFields", "generation")}
    return {**{k: v for k, v in body.items() if k != "status"}, "metadata": metadata}


_PARSERS: dict[Kind, Callable[[Mapping[str, Any]], Record]] = {
    REGION: _resource(parse_region),
    RACK: _resource(parse_rack),
    SUBNET: _resource(parse_subnet),
    POD: parse_pod,
    NODE: parse_node,
    **dict.fromkeys(OWNED, _manifest),
}
