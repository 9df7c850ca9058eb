"""views.json: named's views of all Subnets, as a few patterns and a list from which each rack's agent takes its own."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from rackrelay.addresses import Network
from rackrelay.protocol import versions

Patterns = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class SubnetView:
    """One Subnet. `server`: the network in which the racks that serve it have addresses, itself unless relayed; None
    when there is no such Subnet."""

    cidr: Network
    pattern: str
    server: Network | None


@dataclass(frozen=True)
class Views:
    """What the operator gives: pattern name -> its `view` and, where the Subnet has a name, its `policy` zone."""

    patterns: Patterns
    subnets: tuple[SubnetView, ...]


def write_views(patterns: Patterns, subnets: Iterable[SubnetView]) -> str:
    """The text of views.json: a line for each Subnet, so that a change is one line too."""
    rows = [json.dumps([str(s.cidr), s.pattern, str(s.server) if s.server else None]) for s in subnets]
    head = f'{{"{versions.FIELD}": {versions.WRITTEN},\n"patterns": {json.dumps(patterns, indent=2, sort_keys=True)},\n'
    return head + '"subnets": [\n' + ",\n".join(rows) + "\n]}\n"


def parse_views(text: str) -> Views:
    """What views.json says.

    Raises:
        KeyError, TypeError, ValueError: not a document that an operator of this or a neighbouring release wrote.
    """
    document = json.loads(text)
    versions.check_version(document, "views.json")
    subnets = [
        SubnetView(ip_network(cidr), pattern, ip_network(server) if server else None)
        for cidr, pattern, server, *_ in document["subnets"]
    ]
    return Views(document["patterns"], tuple(subnets))
