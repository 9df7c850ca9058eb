"""Every name that two parts of rackrelay must agree on: API group, labels, ports, paths, object names."""

from ipaddress import IPv4Network, IPv6Network, ip_network

GROUP = "rackrelay.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FIELD_MANAGER = "rackrelay"

REGION_PLURAL = "regioncontrollers"
RACK_PLURAL = "rackcontrollers"
SUBNET_PLURAL = "subnets"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_REGION = f"{GROUP}/region"
LABEL_RACK_CONTROLLER = f"{GROUP}/rackcontroller"
LABEL_DRAIN = f"{GROUP}/drain"
ANNOTATION_APPLIED = f"{GROUP}/applied"
ANNOTATION_CONFIG = f"{GROUP}/config"
ANNOTATION_TEMPLATE = f"{GROUP}/template"
MANAGED_BY = "rackrelay"
COMPONENT_REGION = "region"
COMPONENT_RACK = "rack"

# What machines dial on a rack. Kept equal to MAAS's, so that images and tools made for it work unchanged.
PORT_DNS = 53
PORT_RACK_HTTP = 5248
PORT_RACK_SYSLOG = 5247
PORTS_RACK_PROXY = (8000, 3128)

# What racks dial on a region, through its per-replica Service. The HTTP port is a field (5240 by default).
PORT_REGION_DNS = 5242
PORT_REGION_PROXY = 5245
PORT_REGION_SYSLOG = 5247
PORT_AGENT = 5249
# Heartbeats: one port a replica, so that a Service that sends a rack to the wrong replica is noticed.
PORT_HEARTBEAT_FIRST, PORT_HEARTBEAT_LAST = 5250, 5270

# Loopback only. A rack pod shares the node's loopback, so these stay inside the block reserved for rackrelay.
PORT_LOCAL_PROXY = 5251
PORT_LOCAL_PARENT = 5252
PORT_LOCAL_RELP = 5253
PORT_LOCAL_STATUS = 5254
PORT_LOCAL_HTTP = 5255
PORT_LOCAL_COLLECTOR = 5256
PORT_LOCAL_ECHO = 5257

DIR_CONFIG = "/etc/rackrelay/config"
DIR_ZONE = "/etc/rackrelay/zone"
DIR_TSIG = "/etc/rackrelay/tsig"
DIR_AGENT_KEY = "/etc/rackrelay/agent"
DIR_RUN = "/run/rackrelay"
DIR_STATE = "/var/lib/rackrelay"

FILE_AGENT = "agent.json"
FILE_VIEWS = "views.json"
FILE_READY = "ready"

KEY_ZONE_SERIAL = "serial"
KEY_ZONE_TEXT = "zone"
KEY_ZONE_PACKED = "zone.gz"
KEY_TSIG_NAME = "name"
KEY_TSIG_SECRET = "secret"  # noqa: S105 - the key's name in a Secret, not a secret
KEY_TSIG_ALGORITHM = "algorithm"
KEY_TSIG_ACCEPTED = "accepted"
KEY_TSIG_SIGNING = "signing"
KEY_AGENT = "key"

UID = 10240

# Refresh, retry, expire and the TTL of negative answers: a name that comes must show at once. Every server answers from
# its own copy and nothing transfers the zone by the first three.
SOA_TIMERS = "3600 600 604800 1"

# A line with this program name and from this node goes back to the agent: that is how it sees rsyslogd work.
SYSLOG_HEALTH_PROGRAM = "rackrelay-health"

# Placeholders that the agent replaces by the node's own values.
PLACEHOLDER_NODE_IP = "@NODE_IP@"
PLACEHOLDER_NODE_NAME = "@NODE_NAME@"
PLACEHOLDER_CONFIG_HASH = "@CONFIG_HASH@"
# A comment to named, in whose place the views of Subnets come; and what differs from one of these views to the next.
PLACEHOLDER_VIEWS = "# @SUBNET_VIEWS@"
PLACEHOLDER_CIDR = "@CIDR@"
PLACEHOLDER_LABEL = "@LABEL@"


def region_workload(region: str) -> str:
    """Name of the StatefulSet and of the prefix of its pods."""
    return f"{region}-region"


def region_replica(region: str, ordinal: int) -> str:
    """Name of one region pod and of the Service in front of it."""
    return f"{region_workload(region)}-{ordinal}"


def port_heartbeat(ordinal: int) -> int:
    """The port on which a region replica hears racks."""
    return PORT_HEARTBEAT_FIRST + ordinal


def region_config(region: str) -> str:
    """Name of the ConfigMap with the region pods' daemon configuration."""
    return region_workload(region)


def rack_workload(rack: str) -> str:
    """Name of the DaemonSet and of the ConfigMap with its daemon configuration."""
    return f"{rack}-rack"


def zone_config(region: str) -> str:
    """Name of the ConfigMap that keeps the published zone."""
    return f"{region}-zone"


def tsig_secret(region: str, rotation: int = 1) -> str:
    """Name of the Secret that keeps one TSIG key."""
    return f"{region}-tsig-{rotation}"


def keys_secret(region: str) -> str:
    """Name of the Secret that pods mount: the TSIG keys that servers accept, and the one that signs."""
    return f"{region}-keys"


def tsig_file(rotation: int) -> str:
    """The file with one key in the folder that named includes keys from."""
    return f"tsig-{rotation}.key"


def tsig_key(namespace: str, region: str, rotation: int = 1) -> str:
    """The TSIG key's own name, as named and UPDATE messages spell it."""
    return f"{rotation}.{region}.{namespace}.rackrelay"


def agent_secret(region: str) -> str:
    """Name of the Secret with the key that signs agent status requests and answers."""
    return f"{region}-agent-1"


def subnet_label(cidr: IPv4Network | IPv6Network) -> str:
    """DNS label of a subnet, as MAAS forms it: 10.10.0.0/24 -> 10-10-0-0--24, 2001:db8::/64 -> 2001-db8----64."""
    return str(cidr).replace("/", "--").replace(".", "-").replace(":", "-")


def is_subnet_label(label: str) -> bool:
    """Whether `subnet_label` gives this label for some network, in either case."""
    address, _, prefix = label.lower().rpartition("--")
    for separator in (".", ":"):
        try:
            cidr = ip_network(f"{address.replace('-', separator)}/{prefix}")
        except ValueError:
            continue
        return subnet_label(cidr) == label.lower()
    return False


def subnet_dns_name(cidr: IPv4Network | IPv6Network, domain: str) -> str:
    """The name that machines of a subnet use for their racks, without a trailing dot."""
    return f"{subnet_label(cidr)}.{domain}"


def rack_dns_name(domain: str) -> str:
    """The name that means, to each machine, the racks of its own subnet, without a trailing dot."""
    return f"rack.{domain}"


def policy_file(label: str) -> str:
    """The policy zone that gives `rack_dns_name` its meaning in the subnet of that label."""
    return f"named.rpz.{label}"
