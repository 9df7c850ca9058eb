"""What there is, at a glance: nodes, machines, the outside and pods."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lab import network
from lab.cluster import Lab
from lab.errors import LabError
from lab.readiness import read_ready
from lab.shell import run
from lab.topology import FABRIC_LINK, Link


@dataclass(frozen=True)
class Picture:
    """What was seen of a lab at one moment; `ready` and `pods` are None when the API server does not answer."""

    cut: frozenset[str]
    ready: dict[str, bool] | None
    pods: list[dict[str, Any]] | None
    roles: dict[str, str]


def print_status(lab: Lab) -> None:
    """Prints all of it."""
    if not lab.is_alive:
        print(f"lab {lab.site.name} is down: run `python3 -m lab up`")
        return
    print(render_status(lab, take_picture(lab)))


def take_picture(lab: Lab) -> Picture:
    """What is cut, what is Ready, and which pods there are."""
    links = json.loads(run([*lab.site.enter("fabric"), "ip", "-json", "link", "show", "type", "veth"]).stdout)
    # The cables of what is off are down too; that says nothing.
    off = [f"{name}-" for name, host in (lab.nodes | lab.machines).items() if not host.is_on]
    down = (link["ifname"] for link in links if "UP" not in link["flags"])
    cut = frozenset(name for name in down if not name.startswith(tuple(off)))
    try:
        nodes = lab.kubectl_json("get", "nodes", "--request-timeout=5s")["items"]
        pods = lab.kubectl_json("get", "pods", "--all-namespaces", "--request-timeout=5s")["items"]
    except LabError:
        return Picture(cut, None, None, {})
    ready = read_ready(nodes)
    roles = {item["metadata"]["name"]: _role(item["metadata"].get("labels", {})) for item in nodes}
    return Picture(cut, ready, pods, roles)


def render_status(lab: Lab, seen: Picture) -> str:
    """The picture as text, a table for each kind of thing."""
    parts = [_headline(lab, seen), _nodes(lab, seen)]
    if lab.machines:
        parts.append(_machines(lab, seen))
    if wan := lab.site.topology.wan:
        where = f"DNS server {wan.dns}, APT origin http://archive.{wan.domain}/debian at {wan.archive}"
        state = "on" if lab.wan and lab.wan.is_on else "OFF"
        parts.append(f"outside ({state}): {where}; region nodes reach it, nobody else")
    parts.append(_pods(seen))
    return "\n\n".join(parts)


def render_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces apart."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def pod_row(pod: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Namespace and name, node, containers ready, state, restarts."""
    states = pod["status"].get("containerStatuses", [])
    # Sidecars are init containers that keep running; they count like kubectl counts them.
    sidecars = {c["name"] for c in pod["spec"].get("initContainers", []) if c.get("restartPolicy") == "Always"}
    states += [s for s in pod["status"].get("initContainerStatuses", []) if s["name"] in sidecars]
    total = len(pod["spec"]["containers"]) + len(sidecars)
    ready = sum(state["ready"] for state in states)
    waiting = [s["state"]["waiting"].get("reason", "") for s in states if "waiting" in s.get("state", {})]
    state = "Terminating" if "deletionTimestamp" in pod["metadata"] else next(iter(waiting), pod["status"]["phase"])
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    restarts = sum(state["restartCount"] for state in states)
    return name, pod["spec"].get("nodeName", "-"), f"{ready}/{total}", state, str(restarts)


def _headline(lab: Lab, seen: Picture) -> str:
    answers = "answers at" if seen.ready is not None else "DOES NOT ANSWER at"
    count = f"{sum(seen.ready.values())} of {len(lab.nodes)} nodes Ready, " if seen.ready is not None else ""
    return f"lab {lab.site.name}: {count}API server {answers} {lab.control_plane.at.url}"


def _nodes(lab: Lab, seen: Picture) -> str:
    pods = Counter(pod["spec"].get("nodeName", "") for pod in seen.pods or [])
    rows = []
    for name, host in lab.nodes.items():
        own = Link(FABRIC_LINK, "", (f"{host.node.address}/24",))
        ready = "?" if seen.ready is None else "yes" if seen.ready.get(name) else "NO"
        rows.append(
            (
                name,
                "on" if host.is_on else "OFF",
                ready,
                seen.roles.get(name, "-"),
                _addresses(name, own, seen),
                "; ".join(f"{link.name} {_addresses(name, link, seen)} on {link.bridge}" for link in host.node.links),
                str(pods[name]),
            )
        )
    return render_table(("NODE", "POWER", "READY", "ROLE", "ADDRESS", "OTHER NETWORKS", "PODS"), rows)


def _machines(lab: Lab, seen: Picture) -> str:
    rows = []
    for name, host in lab.machines.items():
        networks = "; ".join(
            f"{link.name} {_addresses(name, link, seen)} on {link.bridge}" for link in host.machine.links
        )
        rows.append((name, "on" if host.is_on else "OFF", networks, " ".join(host.machine.nameservers)))
    return render_table(("MACHINE", "POWER", "NETWORKS", "NAME SERVERS"), rows)


def _pods(seen: Picture) -> str:
    if seen.pods is None:
        return "pods: unknown while the API server does not answer"
    if not seen.pods:
        return "no pods yet"
    return render_table(("POD", "NODE", "READY", "STATE", "RESTARTS"), sorted(pod_row(pod) for pod in seen.pods))


def _addresses(host: str, link: Link, seen: Picture) -> str:
    mark = " CUT" if network.port_name(host, link.name) in seen.cut else ""
    return ", ".join(address.partition("/")[0] for address in link.addresses) + mark


def _role(labels: dict[str, str]) -> str:
    return labels.get("rackrelay.dev/role", "-")
