"""What the operator knows of the cluster: one small record per object, kept true by events and by LISTs.

kopf can lose deletions after a relist, so a LIST now and then removes what is no longer there. What an event touched
while the LIST was under way is newer than the LIST and stays. An event that is older than what is known, such as one
that the answer to our own write overtook, is left out; a LIST never is, for etcd may have been restored. A LIST that
would take away all objects of a kind, or most Nodes, may as well be an API server's mistake: it counts once the next
one agrees.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rackrelay.cluster.client import NODE, Kind
from rackrelay.cluster.version import Version, read_version
from rackrelay.model.meta import Manifest, Meta
from rackrelay.model.observed import Node, Pod
from rackrelay.model.parsing import Parsed

Key = tuple[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Resource:
    """One of our custom resources. `spec`: its model, None when nothing of it can be used.

    `problem`: a field that cannot be used, and why; empty when all can.
    """

    meta: Meta
    spec: Any
    status: Mapping[str, Any]
    problem: str = ""


Record = Resource | Pod | Node | Manifest
Parse = Callable[[Mapping[str, Any]], Record]
Listed = tuple[Record, Version | None]


@dataclass
class Cache:
    """Records by kind and (namespace, name). Records are immutable; a changed object is a new record.

    `parsers`: every kind that is watched, with how an object of it becomes a record. `doubts`: what the last LIST of a
    kind in a namespace did not find, and another one is to confirm. `_touched`: when an event or a write last told of
    an object, as far as a LIST that is under way may ask.
    """

    parsers: Mapping[Kind, Parse]
    doubts: dict[tuple[Kind, str], frozenset[Key]] = field(default_factory=dict)
    _records: dict[Kind, dict[Key, Record]] = field(init=False)
    _versions: dict[tuple[Kind, Key], Version | None] = field(default_factory=dict)
    _touched: dict[tuple[Kind, Key], int] = field(default_factory=dict)
    _clock: int = 0
    _revisions: dict[Kind, int] = field(init=False)
    _derived: dict[tuple[Hashable, ...], tuple[tuple[int, ...], Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._records = {kind: {} for kind in self.parsers}
        self._revisions = dict.fromkeys(self.parsers, 0)

    @property
    def kinds(self) -> Sequence[Kind]:
        """Every kind that is watched."""
        return tuple(self.parsers)

    def parse(self, kind: Kind, body: Mapping[str, Any]) -> tuple[Key, Listed]:
        """The record of an object with its version, which need a tenth of the memory."""
        return object_key(body), (self.parsers[kind](body), read_version(body))

    def upsert(self, kind: Kind, body: Mapping[str, Any]) -> tuple[Record | None, Record] | None:
        """(before, after) when the object changed in anything that counts, None otherwise."""
        key, version = object_key(body), read_version(body)
        known = self._versions.get((kind, key))
        if version is not None and known is not None and version.is_older_than(known):
            return None
        self._touch(kind, key)
        return self._put(kind, key, (self.parsers[kind](body), version))

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
        # Nobody asks any more for what was computed for it.
        self._derived = {what: known for what, known in self._derived.items() if key not in what}
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

    def derive(self, what: tuple[Hashable, ...], kinds: tuple[Kind, ...], compute: Callable[[], T]) -> T:
        """What `compute` gives, computed anew only after objects of these kinds changed in more than their status.

        Everybody who asks for the same `what` gets the same object, and must not change it. What is computed for one
        object has its key in `what`.
        """
        now = tuple(self._revisions[kind] for kind in kinds)
        known = self._derived.get(what)
        if known is None or known[0] != now:
            known = self._derived[what] = (now, compute())
        value: T = known[1]
        return value

    def resource(self, kind: Kind, key: Key) -> Resource | None:
        """One custom resource with its status."""
        record = self._records[kind].get(key)
        return record if isinstance(record, Resource) else None

    def status(self, kind: Kind, key: Key) -> Mapping[str, Any]:
        """The status that a custom resource has now; empty when it has none."""
        resource = self.resource(kind, key)
        return resource.status if resource else {}

    def records(self, kind: Kind, namespace: str = "") -> list[Any]:
        """The records of a kind in a namespace, by name."""
        return self.derive((kind, namespace), (kind,), lambda: self._in(kind, namespace))

    def specs(self, kind: Kind, namespace: str) -> list[Any]:
        """The models of a custom kind in a namespace, by name; those are left out of which nothing can be used."""

        def compute() -> list[Any]:
            return [r.spec for r in self._in(kind, namespace) if isinstance(r, Resource) and r.spec is not None]

        return self.derive((kind, namespace, "specs"), (kind,), compute)

    def each_spec(self, kind: Kind, namespace: str) -> Iterator[Any]:
        """The same in no order: sorting thousands takes longer than looking through them."""
        for (space, _), record in self._records[kind].items():
            if space == namespace and isinstance(record, Resource) and record.spec is not None:
                yield record.spec

    def owned(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """An object of ours as the API server has it."""
        record = self._records[kind].get((namespace, name))
        return record if isinstance(record, dict) else None

    def all_owned(self, kind: Kind, namespace: str) -> list[Manifest]:
        """All objects of ours of one kind in a namespace."""
        return [m for (ns, _), m in self._records[kind].items() if ns == namespace and isinstance(m, dict)]

    def _in(self, kind: Kind, namespace: str) -> list[Record]:
        items = sorted(self._records[kind].items(), key=_by_key)
        return [record for (ns, _), record in items if ns == namespace]

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


def object_key(body: Mapping[str, Any]) -> Key:
    """(namespace, name) of an object; the namespace of a Node is empty."""
    metadata = body["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])


def parse_resource(parse: Callable[[Mapping[str, Any]], Parsed[Any]]) -> Parse:
    """How an object of a custom kind becomes a record. `parse` gives its model."""

    def parse_body(body: Mapping[str, Any]) -> Resource:
        parsed = parse(body)
        return Resource(Meta.parse(body), parsed.value, dict(body.get("status", {})), parsed.problem)

    return parse_body


def parse_manifest(body: Mapping[str, Any]) -> Manifest:
    """What apply compares with. Status ticks, and managedFields are as long as the object; the workloads' counts come
    from the pods."""
    metadata = {k: v for k, v in body["metadata"].items() if k not in ("managedFields", "generation")}
    return {**{k: v for k, v in body.items() if k != "status"}, "metadata": metadata}


def _spec(record: Record | None) -> object:
    """What lists and whatever is derived from them are made of."""
    return (record.spec, record.problem) if isinstance(record, Resource) else record


def _by_key(item: tuple[Key, object]) -> Key:
    return item[0]
