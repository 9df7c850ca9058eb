"""named's views on a rack: one zone for all of them, and in each Subnet's view one name that means its own racks.

The zone lives in the view that the operator's keys choose; the others share it, so that an UPDATE shows in all at
once. The view of a Subnet adds a policy zone (RPZ) whose one line never changes: rack.<domain> is an alias of the
Subnet's name.
"""

from collections.abc import Iterable, Sequence

from rackrelay import names
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.render import bind, quoting
from rackrelay.render.text import block

# A view costs 80-140 kB of named's memory, 700 bytes of a ConfigMap, which holds 1 MiB, and 1 ms without answers when
# named reads its configuration anew: 0.5-0.7 s with 500, after which an operator would begin to miss answers.
MAX_VIEWS = 500
UPDATES, OTHERS, POLICY = "updates", "others", "rpz"


def views(region: RegionController, subnets: Sequence[Subnet], keys: Sequence[str]) -> list[str]:
    """All views, in the order in which named tries them: keys, Subnets from the smallest to the largest, the rest."""
    domain = quoting.domain_name("spec.domain", region.domain)
    chosen = with_view(subnets)
    # Without views of their own, the networks that may recurse are told apart by address alone.
    nets = [] if chosen else quoting.networks([s.cidr for s in subnets if s.allow_dns])
    others = bind.recursion_for(["localhost", *nets]) if nets else []
    lines = _view(UPDATES, [bind.clients(f'key "{key}"' for key in keys), *bind.internal_zone(domain, keys)])
    for subnet in chosen:
        lines += _view(names.subnet_label(subnet.cidr), _subnet(region, subnet))
    return lines + _view(OTHERS, [bind.clients(["any"]), *others, _shared_zone(domain)])


def with_view(subnets: Iterable[Subnet]) -> list[Subnet]:
    """The Subnets that get a view, each network once and the longest prefix first; none when they are too many."""
    by_network = {s.cidr: s for s in sorted(subnets, key=lambda s: s.meta.name, reverse=True)}
    ordered = sorted(by_network.values(), key=lambda s: (s.cidr.version, -s.cidr.prefixlen, s.cidr.network_address))
    return ordered if len(ordered) <= MAX_VIEWS else []


def policy_files(region: RegionController, subnets: Iterable[Subnet]) -> dict[str, str]:
    """File name -> text of each policy zone; for the Subnets that have a name."""
    domain = quoting.domain_name("spec.domain", region.domain)
    return {
        names.policy_file(subnet.cidr): _policy(domain, names.subnet_dns_name(subnet.cidr, domain))
        for subnet in with_view(subnets)
        if subnet.managed
    }


def _subnet(region: RegionController, subnet: Subnet) -> list[str]:
    lines = [bind.clients([str(subnet.cidr)])]
    if subnet.allow_dns:
        lines += bind.recursion_for(["any"])
    if subnet.managed:
        # Not `recursion no` where machines may not recurse: BIND would ignore the policy.
        lines += [
            f'response-policy {{ zone "{POLICY}" max-policy-ttl {region.ttl_s} log no; }}'
            " recursive-only no break-dnssec yes qname-wait-recurse no add-soa no;",
            f'zone "{POLICY}" {{ type primary; file "{names.DIR_RUN}/{names.policy_file(subnet.cidr)}";'
            " allow-query { none; }; };",
        ]
    return [*lines, _shared_zone(region.domain)]


def _policy(domain: str, target: str) -> str:
    return (
        f"@ 15 IN SOA localhost. hostmaster.{domain}. 1 3600 600 604800 1\n"
        "@ 15 IN NS localhost.\n"
        f"{names.rack_dns_name(domain)} 15 IN CNAME {target}.\n"
    )


def _shared_zone(domain: str) -> str:
    return f'zone "{domain}" {{ in-view "{UPDATES}"; }};'


def _view(name: str, lines: Iterable[str]) -> list[str]:
    return block(f'view "{name}"', lines, "};")
