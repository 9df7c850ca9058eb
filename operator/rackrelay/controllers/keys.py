"""A region's keys: made once, and the TSIG key replaced without a moment in which a server would refuse an UPDATE.

Each key is an immutable Secret of its own. What pods mount is one Secret beside those, `<region>-keys`: the keys that
servers accept, and which of them signs. It is also the memory of a rotation, so that another operator goes on with it.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rackrelay import names
from rackrelay.cluster.client import RACK, REGION, SECRET, Kind
from rackrelay.controllers.context import Context
from rackrelay.controllers.memory import RegionKeys
from rackrelay.controllers.queue import Key
from rackrelay.errors import ClusterError, NotReady
from rackrelay.manifests.secrets import build_agent_secret, build_keys_secret, build_tsig_secret
from rackrelay.model.observed import Pod
from rackrelay.model.region import RegionController
from rackrelay.zone.publish import Key as TsigKey

# An UPDATE that was signed before a step has been answered or given up by then.
OVERLAP_S = 5.0


@dataclass(frozen=True)
class KeyPlan:
    """The keys that servers accept, the older one first, and the one that signs."""

    accepted: tuple[int, ...]
    signing: int


def next_plan(plan: KeyPlan, wanted: int, applied: bool) -> KeyPlan:
    """The plan one step nearer to the wanted key. `applied`: every server in reach accepts what the plan says.

    First both are accepted and the old one signs, then the new one signs, then the old one is no longer accepted. A
    rotation that has begun is finished before the next one begins.
    """
    newest = plan.accepted[-1]
    if len(plan.accepted) == 1:
        return plan if wanted == newest else KeyPlan((newest, wanted), newest)
    if not applied:
        return plan
    return KeyPlan(plan.accepted, newest) if plan.signing != newest else KeyPlan((newest,), newest)


async def ensure_keys(context: Context, region: RegionController) -> None:
    """Make and read the region's Secrets, and take a rotation one step further. No key is ever logged."""
    if region.meta.key not in context.keys and not await learn_keys(context, region):
        agent = build_agent_secret(*region.meta.key, secrets.token_urlsafe(32))
        await context.client.create(SECRET, agent)
        await _adopt(context, region, KeyPlan((region.tsig_rotation,), region.tsig_rotation), ())
    known = context.keys[region.meta.key]
    now = KeyPlan(known.accepted, known.signing)
    old_enough = context.now() - known.since >= OVERLAP_S
    plan = next_plan(now, region.tsig_rotation, old_enough and everyone_applied(context, region))
    if plan != now:
        await _adopt(context, region, plan, now.accepted)
    if len(plan.accepted) > 1:
        context.queue.add_later(Key("region", *region.meta.key), OVERLAP_S)


async def learn_keys(context: Context, region: RegionController) -> bool:
    """Whether the region's Secrets exist; they have been read then."""
    namespace, name = region.meta.key
    live = await context.client.get(SECRET, namespace, names.keys_secret(name))
    agent = await _read(context, namespace, names.agent_secret(name))
    if live is None or agent is None:
        return False
    keys, version = _decode(live), live["metadata"]["resourceVersion"]
    accepted = tuple(int(rotation) for rotation in keys[names.KEY_TSIG_ACCEPTED].split(b","))
    signing = int(keys[names.KEY_TSIG_SIGNING])
    tsig = TsigKey(keys[names.KEY_TSIG_NAME].decode(), keys[names.KEY_TSIG_SECRET].decode())
    context.keys[region.meta.key] = RegionKeys(tsig, agent[names.KEY_AGENT], accepted, signing, context.now(), version)
    context.queue.add(Key("zone", *region.meta.key))
    return True


def accepted_keys(context: Context, region: RegionController) -> tuple[int, ...]:
    """The keys that the region's servers shall accept.

    Raises:
        NotReady: they are not made yet.
    """
    keys = context.keys.get(region.meta.key)
    if keys is None:
        raise NotReady("the region's keys are not made yet")
    return keys.accepted


def everyone_applied(context: Context, region: RegionController) -> bool:
    """Whether every server in reach runs the configuration that was rendered last."""
    region_pods = context.inventory.pods_of(names.COMPONENT_REGION, *region.meta.key)
    if not _applied(context, REGION, region.meta.key, region_pods):
        return False
    racks = context.inventory.racks_of(region)
    return all(
        _applied(context, RACK, rack.meta.key, list(context.inventory.rack_pods(rack).values())) for rack in racks
    )


def _applied(context: Context, kind: Kind, owner: tuple[str, str], pods: list[Pod]) -> bool:
    wanted = context.config_hashes.get((kind, *owner))
    for pod in (pod for pod in pods if pod.address):
        sighting = context.book.find_pod(pod)
        if sighting is not None and sighting.is_silent:
            continue
        status = sighting.status if sighting is not None else None
        if status is None or status.config_hash != wanted or not status.config_applied:
            return False
    return wanted is not None


async def _adopt(context: Context, region: RegionController, plan: KeyPlan, before: tuple[int, ...]) -> None:
    """Write the plan and have everything rendered by it. Keys accepted `before` stay mounted: a configuration that
    names them still runs somewhere."""
    namespace, name = region.meta.key
    keys = {rotation: await _tsig_key(context, region, rotation) for rotation in {*plan.accepted, *before}}
    known = context.keys.pop(region.meta.key, None)
    manifest = build_keys_secret(namespace, name, keys, (plan.accepted, plan.signing))
    if known is not None:
        # Of two operators that both believe they lead, one is told that the other was first.
        manifest["metadata"]["resourceVersion"] = known.version
    await context.client.apply(SECRET, manifest)
    if not await learn_keys(context, region):
        raise ClusterError(f"a Secret of region {namespace}/{name} vanished while it was made")
    if plan.accepted != before:
        context.config_hashes.pop((REGION, *region.meta.key), None)
        for rack in context.inventory.racks_of(region):
            context.config_hashes.pop((RACK, *rack.meta.key), None)
            context.queue.add(Key("rack", *rack.meta.key))
    context.queue.add(Key("region", *region.meta.key))


async def _tsig_key(context: Context, region: RegionController, rotation: int) -> str:
    namespace, name = region.meta.key
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    await context.client.create(SECRET, build_tsig_secret(namespace, name, secret, rotation))
    made = await _read(context, namespace, names.tsig_secret(name, rotation))
    if made is None:
        raise ClusterError(f"Secret {namespace}/{names.tsig_secret(name, rotation)} vanished while it was made")
    return made[names.KEY_TSIG_SECRET].decode()


async def _read(context: Context, namespace: str, name: str) -> Mapping[str, bytes] | None:
    live = await context.client.get(SECRET, namespace, name)
    return None if live is None else _decode(live)


def _decode(secret: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in secret.get("data", {}).items()}
