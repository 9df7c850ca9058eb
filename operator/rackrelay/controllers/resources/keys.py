"""A region's keys: made once, and the TSIG key replaced without a moment in which a server would refuse an UPDATE.

Each key is an immutable Secret of its own. What pods mount is one Secret beside those, `<region>-keys`: the keys that
servers accept, and which of them signs. It is also the memory of a rotation, so that another operator goes on with it.
"""

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rackrelay import names
from rackrelay.cluster.client import SECRET
from rackrelay.controllers import work
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import RegionKeys
from rackrelay.controllers.work import Key
from rackrelay.errors import ClusterError, Conflict, NotReady
from rackrelay.manifests.secrets import build_agent_secret, build_keys_secret, build_tsig_secret
from rackrelay.model.observed import Pod
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.nameservers.update import TsigKey

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
    if region_keys(context, region) is None and not await learn_keys(context, region):
        agent = build_agent_secret(*region.meta.key, secrets.token_urlsafe(32))
        await context.client.create(SECRET, agent)
        await _adopt(context, region, KeyPlan((region.tsig_rotation,), region.tsig_rotation), ())
    known = _known_keys(context, region)
    now = KeyPlan(known.accepted, known.signing)
    old_enough = context.now() - known.since >= OVERLAP_S
    plan = next_plan(now, region.tsig_rotation, old_enough and everyone_applied(context, region))
    if plan != now:
        await _adopt(context, region, plan, now.accepted)
    if len(plan.accepted) > 1:
        context.queue.add_later(Key(work.REGION, *region.meta.key), OVERLAP_S)


def region_keys(context: Context, region: RegionController) -> RegionKeys | None:
    """The region's keys; None until they have been read."""
    return context.regions[region.meta.key].keys


def _known_keys(context: Context, region: RegionController) -> RegionKeys:
    keys = region_keys(context, region)
    if keys is None:
        raise NotReady("the region's keys are not made yet")
    return keys


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
    read = RegionKeys(tsig, agent[names.KEY_AGENT], accepted, signing, context.now(), version)
    context.regions[region.meta.key].keys = read
    context.queue.add(Key(work.ZONE, *region.meta.key))
    return True


def accepted_keys(context: Context, region: RegionController) -> tuple[int, ...]:
    """The keys that the region's servers shall accept.

    Raises:
        NotReady: they are not made yet.
    """
    return _known_keys(context, region).accepted


def volume_mark(context: Context, region: RegionController, config_hash: str) -> str:
    """What differs whenever the volumes of pods do: their configuration, or the key that signs, which is not in it.

    Raises:
        NotReady: the keys are not made yet.
    """
    return f"{config_hash}-{_known_keys(context, region).signing}"


def note_rack_config(context: Context, region: RegionController, rack: RackController, config_hash: str) -> None:
    """The configuration of a RackController's racks was rendered, for this region and no other any more."""
    forget_rack_config(context, rack.meta.key)
    context.regions[region.meta.key].rack_config_hashes[rack.meta.name] = config_hash


def forget_rack_config(context: Context, rack: tuple[str, str]) -> None:
    """Nobody knows any more what was rendered for a RackController's racks."""
    for (namespace, _), state in context.regions.items():
        if namespace == rack[0]:
            state.rack_config_hashes.pop(rack[1], None)


def everyone_applied(context: Context, region: RegionController) -> bool:
    """Whether every server in reach, of the operator or of a region, runs the configuration that was rendered last."""
    inventory = context.inventory
    state = context.regions[region.meta.key]
    if not _applied(context, state.config_hash, inventory.pods_of(names.COMPONENT_REGION, *region.meta.key)):
        return False
    return all(
        _applied(context, state.rack_config_hashes.get(rack.meta.name), inventory.rack_pods(rack).values())
        for rack in inventory.racks_of(region)
    )


def _applied(context: Context, wanted: str | None, pods: Iterable[Pod]) -> bool:
    return wanted is not None and all(_runs(context, pod, wanted) for pod in pods if pod.address)


def _runs(context: Context, pod: Pod, wanted: str) -> bool:
    """Whether a server runs the configuration, or nobody reaches it: it reads the newest one when it is back."""
    sighting = context.health.find_pod(pod)
    if sighting is None:
        return False
    if sighting.is_silent:
        heard = context.health.heard(pod.namespace, sighting.server.name, context.now())
        if not heard:
            # Regions need a while until they can tell.
            return sighting.is_asked(heard)
    status = sighting.status
    return status is not None and status.config_hash == wanted and status.config_applied


async def _adopt(context: Context, region: RegionController, plan: KeyPlan, before: tuple[int, ...]) -> None:
    """Write the plan and have everything rendered by it. Keys accepted `before` stay mounted: a configuration that
    names them still runs somewhere. Until the plan is written the one before holds."""
    namespace, name = region.meta.key
    keys = {rotation: await _tsig_key(context, region, rotation) for rotation in {*plan.accepted, *before}}
    known = region_keys(context, region)
    manifest = build_keys_secret(namespace, name, keys, (plan.accepted, plan.signing))
    if known is not None:
        manifest["metadata"]["resourceVersion"] = known.version
    try:
        await context.client.apply(SECRET, manifest)
        await _read_back(context, region)
    except Conflict:
        # Of two operators that both believe they lead, one is told that the other was first, and goes on from there.
        await _read_back(context, region)
        raise
    finally:
        # Whatever became of it: a step that was taken unseen must not count as applied.
        _render_racks_anew(context, region)
    context.queue.add(Key(work.REGION, *region.meta.key))


async def _read_back(context: Context, region: RegionController) -> None:
    if not await learn_keys(context, region):
        context.regions[region.meta.key].keys = None
        raise ClusterError(f"a Secret of region {region.meta.namespace}/{region.meta.name} vanished")


def _render_racks_anew(context: Context, region: RegionController) -> None:
    state = context.regions[region.meta.key]
    state.config_hash = None
    state.rack_config_hashes.clear()
    for rack in context.inventory.racks_of(region):
        context.queue.add(Key(work.RACK, *rack.meta.key))


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
