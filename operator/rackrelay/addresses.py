"""IP addresses and networks of either family."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def sort_addresses(texts: Iterable[str]) -> tuple[Address, ...]:
    """Addresses in numeric order, as status and zone show them."""
    return tuple(sorted((ip_address(t) for t in texts), key=order_of))


def order_of(address: Address) -> tuple[int, int]:
    """Sorts addresses by their numbers, IPv4 first."""
    return (address.version, int(address))
