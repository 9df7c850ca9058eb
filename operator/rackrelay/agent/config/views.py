"""named.conf with the views of the Subnets that this node serves. Pure.

Each view costs named about 0.1 MB, and 1 ms in which it does not answer when it reads its configuration anew.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from rackrelay import names
from rackrelay.addresses import Network
from rackrelay.agent.config.expand import Expanded, companions_of, expand
from rackrelay.agent.settings import NodeValues
from rackrelay.daemons.named import NAMED
from rackrelay.protocol.views_document import SubnetView, Views, parse_views

# As long as that costs little, every rack knows every Subnet, whoever asks it from wherever.
EVERYWHERE = 100


def expand_named(data: Mapping[str, str], values: NodeValues, addresses: Iterable[str]) -> Expanded:
    """named.conf for a node with these addresses, and the policy zones that it names.

    Raises:
        KeyError, TypeError, ValueError: the list of views is not one that the operator wrote.
    """
    given = parse_views(data[names.FILE_VIEWS]) if names.FILE_VIEWS in data else Views({}, ())
    chosen = choose_views(given.subnets, addresses)
    # An operator of the release before renders all views itself, and brings their policy zones along.
    policies = companions_of(NAMED.file, data) | {
        names.policy_file(names.subnet_label(view.cidr)): _fill(given.patterns[view.pattern]["policy"], view.cidr)
        for view in chosen
        if "policy" in given.patterns[view.pattern]
    }
    text = "".join(_fill(given.patterns[view.pattern]["view"], view.cidr) for view in chosen)
    return expand(data[NAMED.file].replace(f"{names.PLACEHOLDER_VIEWS}\n", text), values, policies)


def choose_views(subnets: tuple[SubnetView, ...], addresses: Iterable[str]) -> list[SubnetView]:
    """The views to have, in the order that they came in: all while they are few, else those of Subnets served here.

    Those are where the node has an address (longest prefix), those that such a Subnet's racks serve besides, and all
    that lie inside one of these, because their machines must not be taken for its own.
    """
    if len(subnets) <= EVERYWHERE:
        return list(subnets)
    own = {_find_network(address, subnets) for address in addresses} - {None}
    served = [view.cidr for view in subnets if view.server in own]
    return [view for view in subnets if any(_lies_in(view.cidr, network) for network in served)]


def _find_network(address: str, subnets: Iterable[SubnetView]) -> Network | None:
    ip = ip_address(address)
    found = [view.cidr for view in subnets if view.server == view.cidr and ip in view.cidr]
    return max(found, key=lambda network: network.prefixlen, default=None)


def _lies_in(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def _fill(pattern: str, cidr: Network) -> str:
    return pattern.replace(names.PLACEHOLDER_CIDR, str(cidr)).replace(names.PLACEHOLDER_LABEL, names.subnet_label(cidr))
