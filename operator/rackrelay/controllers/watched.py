"""What the table of kinds is made of: `kinds.py` has the table, everybody else iterates over it."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rackrelay.cluster.cache import Parse
from rackrelay.cluster.client import Kind
from rackrelay.controllers.work import Key, Work

# The Context is an argument of these, and has the table: it cannot be named here.
Route = Callable[[Any, Any, Any], None]
Reconcile = Callable[[Any, Any, Key], Awaitable[None]]
Forget = Callable[[Any, Key], None]
Refuse = Callable[[Any, Key, str], Awaitable[None]]


def forget_nothing(_context: object, _key: Key) -> None:
    """Nothing is remembered for it."""


@dataclass(frozen=True)
class Reconciler:
    """One kind of work on the resources of a kind.

    `reconcile` is given the resource's model, `forget` the key of one that is gone or going. `refuse` is told why the
    model cannot be worked with until somebody changes the resource; None has its conditions say so. `whole`: one key a
    resource; otherwise another reconciler asks for it.
    """

    work: Work
    reconcile: Reconcile
    forget: Forget = forget_nothing
    refuse: Refuse | None = None
    whole: bool = True


@dataclass(frozen=True)
class Watched:
    """One kind of object: how it is parsed, whom a change of it concerns, and what is reconciled for it.

    `route` is given the records before and after a change. The first reconciler is the one that writes the status.
    """

    kind: Kind
    parse: Parse
    route: Route
    reconcilers: tuple[Reconciler, ...] = ()

    def keys(self, namespace: str, name: str) -> Iterable[Key]:
        """All keys of one resource that need no more to be known."""
        return (Key(r.work, namespace, name) for r in self.reconcilers if r.whole)


@dataclass(frozen=True)
class Kinds:
    """All kinds that are watched, in the order in which they are read."""

    table: tuple[Watched, ...]

    def find(self, kind: Kind) -> Watched:
        """The entry of a kind."""
        return next(entry for entry in self.table if entry.kind == kind)

    def reconciler(self, work: Work) -> tuple[Watched, Reconciler]:
        """The reconciler of a kind of work, and the kind whose resources it works on."""
        return next((entry, r) for entry in self.table for r in entry.reconcilers if r.work == work)

    @property
    def works(self) -> tuple[Work, ...]:
        """Every kind of work, by name."""
        return tuple(sorted((r.work for e in self.table for r in e.reconcilers), key=lambda work: work.name))
