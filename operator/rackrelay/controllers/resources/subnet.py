"""One Subnet: what its name answers, the settings of its machines, and what is wrong with it."""

from fractions import Fraction
from typing import Any

from rackrelay import names
from rackrelay.cluster.client import SUBNET
from rackrelay.cluster.status import write_status
from rackrelay.controllers.state.context import Context
from rackrelay.errors import InvalidSpec, NotReady
from rackrelay.model import condition
from rackrelay.model.condition import Condition
from rackrelay.model.reference import check_serving, find_older_twin, resolve_region
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.protocol import paths
from rackrelay.zone.balance import Shares, percent, rack_shares, uneven_hint
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import Answer, Member


async def reconcile_subnet(context: Context, subnet: Subnet) -> None:
    """Write the Subnet's status; its name itself is the zone's business."""
    obstacle = find_obstacle(context, subnet)
    if obstacle:
        await _write(context, subnet, {}, list(obstacle))
        return
    region = resolve_region(subnet.region, context.inventory.regions(subnet.meta.namespace))
    state = context.regions[region.meta.key].zone
    if state is None or subnet.cidr not in state.answers:
        # The zone enqueues its Subnets when it has been decided; until then the status stays as it is.
        return
    answer = state.answers[subnet.cidr]
    conditions = [
        *_readiness(context, subnet, answer),
        *_health(subnet, answer),
        *_balance(subnet, answer),
        *_relay(subnet, answer),
        *_overlap(context, subnet),
        *_conflict(answer),
    ]
    await _write(context, subnet, status_fields(subnet, region, answer), conditions)


def find_obstacle(context: Context, subnet: Subnet) -> tuple[Condition, ...]:
    """Why a Subnet has no racks whatever they do; nothing when there is no reason."""
    inventory, regions = context.inventory, context.inventory.regions(subnet.meta.namespace)
    older = find_older_twin(subnet, inventory.overlapping(subnet))
    if older is not None:
        message = f"spec.cidr: {subnet.cidr} is Subnet {older.meta.name} already; delete one of the two"
        return condition.stalled("DuplicateCIDR", message)
    try:
        resolve_region(subnet.region, regions)
    except InvalidSpec as error:
        return condition.stalled("AmbiguousRegion", str(error))
    except NotReady as error:
        return condition.waiting("RegionNotFound", str(error))
    if subnet.served_by is None:
        return ()
    serving = inventory.subnet(subnet.meta.namespace, subnet.served_by)
    older = find_older_twin(serving, inventory.overlapping(serving)) if serving is not None else None
    try:
        check_serving(subnet, serving, older, regions)
    except InvalidSpec as error:
        return condition.stalled("CannotServe", str(error))
    except NotReady as error:
        return condition.waiting("ServingSubnetNotFound", str(error), alarming=True)
    return ()


def status_fields(subnet: Subnet, region: RegionController, answer: Answer) -> dict[str, Any]:
    """What the name answers, its racks, and what machines of the subnet should be configured with."""
    addresses, twins = [str(a) for a in answer.addresses], [str(a) for a in answer.twins]
    shares = _shares(subnet, answer)
    racks = [_rack_fields(member, shares) for member in answer.members]
    dns_name = {"dnsName": names.subnet_dns_name(subnet.cidr, region.domain)} if subnet.managed else {}
    return {
        **dns_name,
        "addresses": [*addresses, *twins],
        "racks": racks,
        "clientSettings": client_settings(subnet, region, addresses),
    }


def client_settings(subnet: Subnet, region: RegionController, addresses: list[str]) -> dict[str, Any]:
    """Settings for machines: names where they can look them up, addresses where they cannot."""
    servers = list(subnet.dns_servers) or (addresses if subnet.allow_dns else [])
    settings: dict[str, Any] = {"dnsServers": servers}
    hosts = [names.subnet_dns_name(subnet.cidr, region.domain)] if subnet.machines_use_names else addresses
    if not hosts:
        return settings
    first = f"[{hosts[0]}]" if ":" in hosts[0] else hosts[0]
    settings["metadataURL"] = f"http://{first}:{names.PORT_RACK_HTTP}{paths.METADATA}"
    if subnet.allow_proxy:
        settings["aptProxyURL"] = f"http://{first}:{names.PORTS_RACK_PROXY[0]}/"
    settings["syslogServers"] = [
        f"[{h}]:{names.PORT_RACK_SYSLOG}" if ":" in h else f"{h}:{names.PORT_RACK_SYSLOG}" for h in hosts
    ]
    return settings


def _readiness(context: Context, subnet: Subnet, answer: Answer) -> tuple[Condition, ...]:
    if not subnet.managed:
        return condition.ready("not managed: its machines' settings are shown, it has no name")
    if answer.addresses:
        return condition.ready(f"its name answers with {_count(len(answer.addresses))}")
    # Losing the last rack is told by RacksHealthy; Ready only asks whether there was an address once.
    resource = context.cache.resource(SUBNET, subnet.meta.key)
    before = {c["type"]: c["status"] for c in (resource.status if resource else {}).get("conditions", ())}
    if before.get(condition.READY) == "True":
        return condition.ready("its name has no address now")
    if subnet.served_by is not None:
        message = f"no rack has an address in Subnet {subnet.served_by}, which serves this one; see its conditions"
    else:
        message = f"no rack has an address in {subnet.cidr}; give a rack node one, or label a node that has one"
    return condition.waiting("NoRackAddress", message)


def health_reason(answer: Answer) -> str:
    """The reason of RacksHealthy: NoRacks, FailOpen, AllDrained, Degraded or AllHealthy."""
    if not answer.members:
        return "NoRacks"
    if answer.fail_open:
        return "FailOpen"
    if answer.tier in (Tier.DRAINED, Tier.LEAVING):
        return "AllDrained"
    return "Degraded" if any(m.judgement.tier is not Tier.HEALTHY for m in answer.members) else "AllHealthy"


def _health(subnet: Subnet, answer: Answer) -> list[Condition]:
    bad = [m for m in answer.members if m.judgement.tier is not Tier.HEALTHY]
    listed = "; ".join(f"{m.name}: {m.judgement.message}" for m in bad)
    match reason := health_reason(answer):
        case "NoRacks":
            where = "this subnet" if subnet.served_by is None else f"Subnet {subnet.served_by}, which serves this one"
            message = f"no rack has an address in {where}"
        case "FailOpen":
            message = f"no rack can be reached, the name keeps its addresses. {listed}"
        case "AllDrained":
            message = f"every rack in reach is drained; the name keeps them, and machines use them. {listed}"
        case "Degraded":
            message = listed
        case _:
            return [Condition(condition.RACKS_HEALTHY, True, reason, f"{len(answer.members)} racks are healthy")]
    return [Condition(condition.RACKS_HEALTHY, False, reason, message, alarming=True)]


def _rack_fields(member: Member, shares: Shares) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": member.name,
        "addresses": [str(a) for a in member.addresses],
        "tier": member.judgement.tier.word,
    }
    if shares:
        fields["sharePercent"] = percent(shares.get(member.name, Fraction(0)))
    return fields


def _shares(subnet: Subnet, answer: Answer) -> Shares:
    """Shares of the racks; empty where there is nothing to share, or machines are given addresses and not the name.

    Machines of a relayed subnet are as near to one rack as to another.
    """
    sorts = subnet.machines_use_names and subnet.served_by is None
    shares = rack_shares(subnet.cidr, answer) if sorts else {}
    return shares if len(shares) > 1 else {}


def _balance(subnet: Subnet, answer: Answer) -> list[Condition]:
    shares = _shares(subnet, answer)
    if not shares:
        return []
    if hint := uneven_hint(subnet.cidr, answer, shares):
        return [Condition(condition.BALANCED, False, "Uneven", hint)]
    message = f"the busiest rack gets {percent(max(shares.values()))}% of the machines, of {len(shares)} racks"
    return [Condition(condition.BALANCED, True, "Even", message)]


def _relay(subnet: Subnet, answer: Answer) -> list[Condition]:
    if subnet.served_by is None:
        return []
    if answer.ignored:
        listed = ", ".join(str(a) for a in answer.ignored)
        message = f"racks have {listed} here, which no machine is given; remove spec.servedBy to have them used"
        return [Condition(condition.RELAYED, True, "AddressesIgnored", message, alarming=True)]
    message = f"its machines are served by the racks of Subnet {subnet.served_by}, to which routers have to bring them"
    return [Condition(condition.RELAYED, True, "ServedBy", message)]


def _overlap(context: Context, subnet: Subnet) -> list[Condition]:
    others = [other for other in context.inventory.overlapping(subnet) if other.cidr != subnet.cidr]
    if not others:
        return []
    listed = ", ".join(f"{o.meta.name} ({o.cidr})" for o in others)
    message = f"spec.cidr shares addresses with {listed}; a rack's address counts for the longest prefix alone"
    return [Condition(condition.OVERLAP, True, "NestedSubnets", message)]


def _conflict(answer: Answer) -> list[Condition]:
    if not answer.disputes:
        return []
    listed = "; ".join(
        f"{d.address} is on {d.holder} and on {', '.join(d.others)}: it counts for {d.holder} alone"
        for d in answer.disputes
    )
    message = f"{listed}; give each rack an address of its own, or name shared ones in spec.addresses.exclude"
    return [Condition(condition.ADDRESS_CONFLICT, True, "SameAddress", message, alarming=True)]


async def _write(context: Context, subnet: Subnet, fields: dict[str, Any], conditions: list[Condition]) -> None:
    await write_status(context.client, context.cache, SUBNET, subnet.meta, (fields, conditions))


def _count(addresses: int) -> str:
    return "1 address" if addresses == 1 else f"{addresses} addresses"
