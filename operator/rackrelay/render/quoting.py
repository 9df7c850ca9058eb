"""Every value that goes into a daemon's configuration passes through here, or is refused here.

Only what the daemons agree on is let through (addresses, networks, ports, domain names), so nothing that a user
wrote can end a statement or start one. Raises errors.InvalidSpec that names the field.
"""

import re
from ipaddress import IPv6Address, ip_address

from rackrelay.addresses import Address, Network
from rackrelay.errors import InvalidSpec

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def domain_name(field: str, text: str) -> str:
    """The name without a trailing dot: labels of letters, digits, hyphens and underscores only."""
    name = text.removesuffix(".")
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise InvalidSpec(field, f"{text!r} is not a domain name")
    return name


def address(field: str, text: str) -> Address:
    """The IP address; refuses zone identifiers (fe80::1%eth0), which mean something on one node only."""
    try:
        parsed = ip_address(text)
    except ValueError as error:
        raise InvalidSpec(field, f"{text!r} is not an IP address") from error
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        raise InvalidSpec(field, f"{text!r} has a zone identifier")
    return parsed


def addresses(field: str, texts: tuple[str, ...]) -> list[Address]:
    """The addresses in the order given, each once."""
    return list(dict.fromkeys(address(field, text) for text in texts))


def port(field: str, number: int) -> int:
    """The port number, when it is one."""
    if isinstance(number, bool) or not 1 <= number <= 65535:
        raise InvalidSpec(field, f"{number!r} is not a port")
    return number


def host_port(host: Address, number: int) -> str:
    """`192.0.2.1:80` or `[2001:db8::1]:80`, as nginx reads it."""
    return f"[{host}]:{number}" if host.version == 6 else f"{host}:{number}"


def networks(nets: "tuple[Network, ...] | list[Network]") -> list[Network]:
    """Each network once, IPv4 first, in numeric order: the same set gives the same text."""
    return sorted(set(nets), key=lambda net: (net.version, int(net.network_address), net.prefixlen))
