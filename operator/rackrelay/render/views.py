"""named's views on a rack: one zone for all of them, and in each Subnet's view one name that means its own racks.

The zone lives in the view that the operator's keys choose; the others share it, so that an UPDATE shows in all at
once. The view of a Subnet adds a policy zone (RPZ) whose one line never changes: rack.<domain> is an alias of the
Subnet's name. Views of Subnets are given to agents as a few patterns and a list, from which each takes its own.
"""

from collections.abc import Iterable, Mapping, Sequence

from rackrelay import names
from rackrelay.addresses import Network
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.protocol.views_document import SubnetView, write_views
from rackrelay.render import bind, quoting
from rackrelay.render.text import block

UPDATES, OTHERS, POLICY = "updates", "others", "rpz"


def views(region: RegionController, subnets: Sequence[Subnet], keys: Sequence[str]) -> list[str]:
    """All views, in the order in which named tries them: keys, where the agent puts the Subnets', the rest."""
    domain = quoting.domain_name("spec.domain", region.domain)
    # Machines of a Subnet that has no view on this rack may do here what they may on their own.
    nets = [f"{'' if s.allow_dns else '!'}{s.cidr}" for s in _one_of_each_network(subnets)]
    return [
        *_view(UPDATES, [bind.clients(f'key "{key}"' for key in keys), *bind.internal_zone(domain, keys)]),
        names.PLACEHOLDER_VIEWS,
        *_view(OTHERS, [bind.clients(["any"]), *bind.recursion_for(["localhost", *nets]), _shared_zone(domain)]),
    ]


def views_file(region: RegionController, subnets: Sequence[Subnet]) -> str:
    """What agents make the views of Subnets from: patterns by their names, and the Subnets, longest prefix first."""
    chosen = _one_of_each_network(subnets)
    servers = {s.meta.name: s.cidr for s in subnets if s.served_by is None}
    # One of each kind: thousands of Subnets have four patterns at most.
    kinds = {_kind(s): s for s in chosen}
    patterns = {kind: _pattern(region, example) for kind, example in kinds.items()}
    return write_views(patterns, [SubnetView(s.cidr, _kind(s), _server(s, servers)) for s in chosen])


def _one_of_each_network(subnets: Iterable[Subnet]) -> list[Subnet]:
    by_network = {s.cidr: s for s in sorted(subnets, key=lambda s: s.meta.name, reverse=True)}
    return sorted(by_network.values(), key=lambda s: (s.cidr.version, -s.cidr.prefixlen, s.cidr.network_address))


def _kind(subnet: Subnet) -> str:
    return f"{'recursive' if subnet.allow_dns else 'internal'}-{'named' if subnet.managed else 'nameless'}"


def _server(subnet: Subnet, servers: Mapping[str, Network]) -> Network | None:
    return subnet.cidr if subnet.served_by is None else servers.get(subnet.served_by)


def _pattern(region: RegionController, subnet: Subnet) -> dict[str, str]:
    pattern = {"view": "\n".join(_view(names.PLACEHOLDER_LABEL, _subnet(region, subnet))) + "\n"}
    return pattern | ({"policy": _policy(region)} if subnet.managed else {})


def _subnet(region: RegionController, subnet: Subnet) -> list[str]:
    lines = [bind.clients([names.PLACEHOLDER_CIDR])]
    if subnet.allow_dns:
        lines += bind.recursion_for(["any"])
    if subnet.managed:
        # Not `recursion no` where machines may not recurse: BIND would ignore the policy.
        lines += [
            f'response-policy {{ zone "{POLICY}" max-policy-ttl {region.ttl_s} log no; }}'
            " recursive-only no break-dnssec yes qname-wait-recurse no add-soa no;",
            f'zone "{POLICY}" {{ type primary; file "{names.DIR_RUN}/{names.policy_file(names.PLACEHOLDER_LABEL)}";'
            " allow-query { none; }; };",
        ]
    return [*lines, _shared_zone(quoting.domain_name("spec.domain", region.domain))]


def _policy(region: RegionController) -> str:
    domain = quoting.domain_name("spec.domain", region.domain)
    return (
        f"@ 15 IN SOA localhost. hostmaster.{domain}. 1 {names.SOA_TIMERS}\n"
        "@ 15 IN NS localhost.\n"
        f"{names.rack_dns_name(domain)} 15 IN CNAME {names.PLACEHOLDER_LABEL}.{domain}.\n"
    )


def _shared_zone(domain: str) -> str:
    return f'zone "{domain}" {{ in-view "{UPDATES}"; }};'


def _view(name: str, lines: Iterable[str]) -> list[str]:
    return block(f'view "{name}"', lines, "};")
