"""named.conf, block by block. What differs between rack and region is composed in rack.py and region.py."""

from collections.abc import Iterable, Sequence

from rackrelay import names
from rackrelay.addresses import Address, Network
from rackrelay.model.region import ExternalDNS, RegionController
from rackrelay.render import quoting
from rackrelay.render.text import block

STATE = f"{names.DIR_STATE}/named"

# The root zone's keys 20326 and 38696 as IANA publishes them (https://data.iana.org/root-anchors/root-anchors.xml).
_ROOT_ANCHORS = (
    '. initial-ds 20326 8 2 "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";',
    '. initial-ds 38696 8 2 "683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16";',
)
_VALIDATION = {"Auto": "auto", "Enabled": "yes", "Disabled": "no"}


def header(rotations: Iterable[int]) -> list[str]:
    """What stands before the options: the update keys, and no control channel."""
    includes = [f'include "{names.DIR_TSIG}/{names.tsig_file(rotation)}";' for rotation in sorted(rotations)]
    return [*includes, "controls { };"]


def key_names(region: RegionController, rotations: Iterable[int]) -> list[str]:
    """The names of the keys that may change and copy the internal zone."""
    found = [names.tsig_key(region.meta.namespace, region.meta.name, rotation) for rotation in sorted(rotations)]
    return [quoting.domain_name("metadata.name", name) for name in found]


def options(*parts: Iterable[str]) -> list[str]:
    """The options block around what the parts say."""
    common = [
        f'directory "{STATE}";',
        "pid-file none;",
        "session-keyfile none;",
        f'managed-keys-directory "{STATE}";',
        # The agent asks for version.bind to see which configuration runs.
        f'version "{names.PLACEHOLDER_CONFIG_HASH}";',
        "hostname none;",
        "server-id none;",
        "notify no;",
        "minimal-responses yes;",
        "rrset-order { order random; };",
        "allow-transfer { none; };",
    ]
    return block("options", [*common, *(line for part in parts for line in part)], "};")


def listen(port: int, nets: Sequence[Network], *more: str) -> list[str]:
    """Listen on every address of this node inside the networks, also on one that it gets later."""
    v4 = [str(net) for net in nets if net.version == 4]
    v6 = [str(net) for net in nets if net.version == 6]
    return [
        f"listen-on port {port} {_acl([*v4, *more])};",
        f"listen-on-v6 port {port} {_acl([*v6, *more])};",
    ]


def recursion(nets: Sequence[Network]) -> list[str]:
    """Recurse for the networks and for this node alone; everybody else is told only what the internal zone says."""
    return ["recursion yes;", *recursion_for(["localhost", *nets])]


def recursion_for(clients: Sequence[object]) -> list[str]:
    """Who may recurse, in a view or in all; nothing when that is left to the options."""
    if not clients:
        return []
    allowed = _acl(str(client) for client in clients)
    return [f"allow-recursion {allowed};", f"allow-query-cache {allowed};"]


def clients(elements: Iterable[str]) -> str:
    """Whom a view is for."""
    return f"match-clients {_acl(elements)};"


def forwarding(servers: Sequence[Address], port: int) -> list[str]:
    """Ask the servers and nobody else. Without any, a closed loopback port makes named fail at once or serve stale."""
    targets = [f"{server} port {port};" for server in servers] or [f"127.0.0.1 port {port};"]
    return [
        "forward only;",
        f"forwarders {{ {' '.join(targets)} }};",
        # Reverse zones of private networks are the region's or its forwarders' to answer.
        "empty-zones-enable no;",
        # The default gives up after 10 s; 1 s is too short when one of two forwarders is dead.
        "resolver-query-timeout 2000;",
    ]


def forwarding_outside(external: ExternalDNS) -> list[str]:
    """Ask name servers that rackrelay does not run, and nobody else."""
    servers = quoting.addresses("spec.external.dns.addresses", external.addresses)
    return forwarding(servers, quoting.port("spec.external.dns.port", external.port))


def cache(size: str) -> list[str]:
    """A bounded cache that answers stale while no server answers."""
    return [
        f"max-cache-size {size};",
        "stale-cache-enable yes;",
        "stale-answer-enable yes;",
        "stale-answer-client-timeout off;",
        "stale-refresh-time 30;",
    ]


def one_cache() -> list[str]:
    """All views share one cache: what one subnet's machines asked for is there for the others."""
    return ['attach-cache "shared";']


def validation(mode: str) -> list[str]:
    """The dnssec-validation option: Auto starts from BIND's own trust anchors, Enabled from those written here."""
    return [f"dnssec-validation {_VALIDATION[mode]};"]


def trust_anchors(mode: str) -> list[str]:
    """The anchors for Enabled, nothing for the other modes."""
    return block("trust-anchors", _ROOT_ANCHORS, "};") if mode == "Enabled" else []


def logging() -> list[str]:
    """To standard error; without a line per foreign server that answers badly."""
    return block(
        "logging",
        ["category lame-servers { null; };", "category edns-disabled { null; };"],
        "};",
    )


def internal_zone(domain: str, keys: Sequence[str]) -> list[str]:
    """The zone that the operator's keys alone may change or copy, and everybody may ask for."""
    may_copy = _acl(f'key "{key}"' for key in keys)
    grants = " ".join(f'grant "{key}" zonesub ANY;' for key in keys)
    return block(
        f'zone "{domain}"',
        [
            "type primary;",
            f'file "{STATE}/{domain}.zone";',
            "allow-query { any; };",
            f"allow-transfer {may_copy};",
            f"update-policy {{ {grants} }};",
            "max-journal-size 4m;",
        ],
        "};",
    )


def _acl(elements: Iterable[str]) -> str:
    return "{ " + " ".join(f"{element};" for element in elements) + " }"
