"""One table: a kind that is added to it is parsed, routed, reconciled, counted and forgotten like the others."""

from dataclasses import dataclass
from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.cache import Cache, Resource, parse_resource
from rackrelay.cluster.client import Kind
from rackrelay.cluster.status import write_status
from rackrelay.controllers.dispatch import reconcile, route
from rackrelay.controllers.kinds import KINDS, parsers
from rackrelay.controllers.metrics import build_metrics
from rackrelay.controllers.routing import enqueue_namespace
from rackrelay.controllers.watched import Kinds, Reconciler, Watched
from rackrelay.controllers.work import Key, Work
from rackrelay.errors import InvalidSpec
from rackrelay.model import condition
from rackrelay.model.meta import Meta
from rackrelay.model.parsing import Parsed, SpecModel, read_spec
from tests import gen
from tests.unit.controllers.site import Site

SWITCH = Kind("Switch", f"apis/{names.API_VERSION}", "switches")
SWITCH_WORK = Work("switch")


class SwitchSpec(SpecModel):
    """`spec` of the made-up kind."""

    ports: int = 8


@dataclass(frozen=True)
class Switch:
    """The made-up kind's model."""

    meta: Meta
    ports: int


def parse_switch(body: Any) -> Parsed[Switch]:
    parsed = read_spec(SwitchSpec, body.get("spec", {}))
    return Parsed(Switch(Meta.parse(body), parsed.value.ports) if parsed.value else None, parsed.problem)


def route_switch(context: Site, before: Resource | None, after: Resource | None) -> None:
    record = after or before
    assert record is not None
    context.queue.add(Key(SWITCH_WORK, *record.meta.key))


async def reconcile_switch(context: Site, switch: Switch, _key: Key) -> None:
    if switch.ports > 48:
        raise InvalidSpec("spec.ports", f"{switch.ports} is more than a switch has")
    ready = condition.ready(f"{switch.ports} ports")
    await write_status(context.client, context.cache, SWITCH, switch.meta, ({"ports": switch.ports}, ready))


@pytest.fixture
def forgotten() -> list[Key]:
    return []


@pytest.fixture
def switched(site: Site, forgotten: list[Key]) -> Site:
    """An operator with one more entry in its table, and nothing else."""
    reconciler = Reconciler(SWITCH_WORK, reconcile_switch, lambda _, key: forgotten.append(key))
    entry = Watched(SWITCH, parse_resource(parse_switch), route_switch, (reconciler,))
    kinds = Kinds((*KINDS.table, entry))
    fields = {name: getattr(site, name) for name in ("settings", "client", "queue", "health", "agents")}
    return Site(**fields, cache=Cache(parsers(kinds)), kinds=kinds)


def arrive(site: Site, spec: gen.Manifest, **metadata: Any) -> None:
    live = site.client.objects.get(("Switch", gen.NAMESPACE, "s1"), {})
    body = {**gen.body("Switch", "s1", spec, **metadata), "status": live.get("status", {})}
    changed = site.cache.upsert(SWITCH, site.client.put(SWITCH, body))
    assert changed is not None
    route(site, SWITCH, *changed)


async def test_kind_is_watched_routed_reconciled_and_counted(switched: Site) -> None:
    assert SWITCH in switched.cache.kinds, "which is what kopf watches and what is listed"
    arrive(switched, {"ports": 24})
    key = Key(SWITCH_WORK, gen.NAMESPACE, "s1")
    assert b'rackrelay_queue_waiting{kind="switch"} 1.0' in build_metrics(switched)
    assert switched.waiting() == {"switch s1"}
    await reconcile(switched, key)
    assert switched.status("Switch", "s1")["ports"] == 24
    assert switched.conditions("Switch", "s1") == {"Ready": ("True", "Applied")}
    enqueue_namespace(switched, gen.NAMESPACE)
    assert switched.waiting() == {"switch s1"}, "a leader that begins has all of it reconciled"


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        ("many", "spec.ports: input should be a valid integer, got 'many'; correct it"),
        (99, "spec.ports: 99 is more than a switch has; correct it"),
    ],
    ids=["cannot be parsed", "is refused later"],
)
async def test_value_that_cannot_be_used_becomes_a_condition(switched: Site, ports: object, words: str) -> None:
    arrive(switched, {"ports": 24})
    await reconcile(switched, Key(SWITCH_WORK, gen.NAMESPACE, "s1"))
    arrive(switched, {"ports": ports}, generation=2)
    await reconcile(switched, Key(SWITCH_WORK, gen.NAMESPACE, "s1"))
    status = switched.status("Switch", "s1")
    found = {c["type"]: c for c in status["conditions"]}
    assert {t: (c["status"], c["reason"]) for t, c in found.items()} == {
        "Ready": ("False", "InvalidSpec"),
        "Stalled": ("True", "InvalidSpec"),
    }
    assert found["Ready"]["message"].startswith(words)
    assert (status["observedGeneration"], status["ports"]) == (2, 24), "what was there stays"
    written = len(switched.client.writes)
    await reconcile(switched, Key(SWITCH_WORK, gen.NAMESPACE, "s1"))
    assert len(switched.client.writes) == written
    arrive(switched, {"ports": 8}, generation=3)
    await reconcile(switched, Key(SWITCH_WORK, gen.NAMESPACE, "s1"))
    assert switched.conditions("Switch", "s1") == {"Ready": ("True", "Applied")}


async def test_kind_that_is_gone_is_forgotten(switched: Site, forgotten: list[Key]) -> None:
    arrive(switched, {})
    switched.cache.remove(SWITCH, (gen.NAMESPACE, "s1"))
    key = Key(SWITCH_WORK, gen.NAMESPACE, "s1")
    await reconcile(switched, key)
    assert forgotten == [key]


def test_each_kind_of_work_has_a_name_of_its_own() -> None:
    assert [work.name for work in KINDS.works] == ["external", "rack", "region", "subnet", "zone"]
