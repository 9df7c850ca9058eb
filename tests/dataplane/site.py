"""One site: a machine, a stranger, a rack, a region and the outside, each in a network namespace of its own.

client -- prov -- rack -- fab -- region -- wan -- outside
stranger ---------'
"""

import base64
import http.client
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from rackrelay import names
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController, RegionEndpoint
from rackrelay.model.subnet import Subnet
from rackrelay.protocol import signing
from rackrelay.render.inputs import RackInputs, RegionInputs
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region
from tests.dataplane.netns import Namespace, connect, give, namespaces
from tests.dataplane.outside import Outside, serve_outside
from tests.dataplane.pod import Pod, wait_until

RACK_IP, REGION_IP = "192.168.77.11", "192.168.77.21"
RACK_PROV, RACK_PROV6, RACK_STRANGE = "10.10.0.2", "fd00:10::2", "10.99.0.2"
CLIENT, CLIENT6, STRANGER = "10.10.0.101", "fd00:10::101", "10.99.0.9"
OUTSIDE = "203.0.113.10"
DOMAIN = "maas-internal"
SUBNET_NAME = names.subnet_dns_name(ip_network("10.10.0.0/24"), DOMAIN)
SUBNET6_NAME = names.subnet_dns_name(ip_network("fd00:10::/64"), DOMAIN)

REGION = RegionController(
    Meta("site", "demo"), domain=DOMAIN, forwarders=(OUTSIDE,), dnssec_validation="Disabled", replicas=1
)
SUBNETS = (
    Subnet(Meta("site", "four"), ip_network("10.10.0.0/24")),
    Subnet(Meta("site", "six"), ip_network("fd00:10::/64")),
)
RACK_INPUTS = RackInputs(REGION, SUBNETS, (RegionEndpoint(0, "demo-region-0", REGION_IP),))
REGION_INPUTS = RegionInputs(REGION, SUBNETS, (ip_network(f"{RACK_IP}/32"),))
ZONE_SERIAL = 5
ZONE_TEXT = f"""\
{DOMAIN}. 15 IN SOA localhost. hostmaster.{DOMAIN}. {ZONE_SERIAL} 3600 600 604800 1
{DOMAIN}. 15 IN NS localhost.
{SUBNET_NAME}. 15 IN A {RACK_PROV}
{SUBNET6_NAME}. 15 IN AAAA {RACK_PROV6}
"""
FILES = {"/pool/tool.deb": secrets.token_bytes(300_000), "/hello": b"hello from outside\n"}


@dataclass
class Site:
    """What tests use of it."""

    spaces: dict[str, Namespace]
    rack: Pod
    region: Pod
    outside: Outside
    agent_key: bytes
    tsig_name: str
    tsig_secret: str

    def configure_rack(self, **changes: object) -> dict[str, str]:
        """Mount a rack configuration with other inputs, and return it."""
        data = render_rack(replace(RACK_INPUTS, **changes))  # type: ignore[arg-type]
        self.rack.configure(data)
        return data

    def status(self, pod: Pod, key: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """HTTP status and document of a pod's agent, asked with the agent key or with another one."""
        nonce, now = secrets.token_hex(8), int(time.time())
        headers = {
            signing.HEADER_TIME: str(now),
            signing.HEADER_NONCE: nonce,
            signing.HEADER_SIGNATURE: signing.sign_request(key or self.agent_key, "/status", now, nonce),
        }
        with pod.namespace.inside():
            connection = http.client.HTTPConnection(pod.ip, names.PORT_AGENT, timeout=5)
            connection.request("GET", "/status", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status == 200:
            assert answer.headers[signing.HEADER_SIGNATURE] == signing.sign_answer(self.agent_key, nonce, body)
        return answer.status, json.loads(body or "{}")

    def all_well(self, pod: Pod) -> bool:
        """Whether the agent finds every daemon well and running what is mounted."""
        try:
            _, document = self.status(pod)
        except OSError:
            return False
        daemons, config = document["daemons"].values(), document["config"]
        well = bool(daemons) and all(d["ok"] for d in daemons)
        return well and config["applied"] and config["hash"] == pod.configured


@contextmanager
def build_site(root: Path, folder: Path, rack_disk_mb: int | None = None) -> Iterator[Site]:
    """The whole site, every daemon started, from an unpacked image. `rack_disk_mb`: the size of the rack's disk."""
    with ExitStack() as stack:
        spaces = stack.enter_context(namespaces("client", "stranger", "rack", "region", "outside"))
        _lay_cables(spaces)
        outside = Outside({"pool.example.": OUTSIDE, "inside.example.": "10.10.0.101"}, FILES)
        stack.enter_context(serve_outside(spaces["outside"], outside))
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        site = Site(
            spaces=spaces,
            rack=Pod(root, folder / "rack", spaces["rack"], "rack1", RACK_IP, disk_mb=rack_disk_mb),
            region=Pod(root, folder / "region", spaces["region"], "region1", REGION_IP, is_rack=False),
            outside=outside,
            agent_key=secrets.token_hex(16).encode(),
            tsig_name=names.tsig_key(REGION.meta.namespace, REGION.meta.name),
            tsig_secret=secret,
        )
        for pod in (site.region, site.rack):
            stack.callback(pod.destroy)
            pod.create(site.agent_key, _tsig_files(site))
            pod.publish(ZONE_SERIAL, ZONE_TEXT)
        site.region.configure(render_region(REGION_INPUTS))
        site.rack.configure(render_rack(RACK_INPUTS))
        site.region.start("nginx", "named", "rsyslogd", "squid", "metadata")
        site.rack.start("nginx", "named", "rsyslogd", "squid")
        for pod in (site.region, site.rack):
            wait_until(partial(site.all_well, pod), f"all daemons of {pod.node} are well", pod.log)
        yield site


def _lay_cables(spaces: dict[str, Namespace]) -> None:
    rack, region = spaces["rack"], spaces["region"]
    connect(spaces["client"], "prov0", rack, "prov0")
    connect(spaces["stranger"], "far0", rack, "far0")
    connect(rack, "fab0", region, "fab0")
    connect(region, "wan0", spaces["outside"], "wan0")
    give(spaces["client"], "prov0", f"{CLIENT}/24", f"{CLIENT6}/64")
    give(spaces["stranger"], "far0", f"{STRANGER}/24")
    give(rack, "prov0", f"{RACK_PROV}/24", f"{RACK_PROV6}/64")
    give(rack, "far0", f"{RACK_STRANGE}/24")
    give(rack, "fab0", f"{RACK_IP}/24")
    give(region, "fab0", f"{REGION_IP}/24")
    give(region, "wan0", "203.0.113.2/24")
    give(spaces["outside"], "wan0", f"{OUTSIDE}/24")
    # A stranger can send to the rack's other addresses too: the rack's own rules have to stop it.
    spaces["stranger"].ip("route", "add", "default", "via", RACK_STRANGE)
    # What the kubelet sets for region pods (a sysctl that the restricted standard allows).
    region.sysctl("net.ipv4.ip_unprivileged_port_start", "0")


def _tsig_files(site: Site) -> dict[str, str]:
    block = f'key "{site.tsig_name}" {{ algorithm hmac-sha256; secret "{site.tsig_secret}"; }};\n'
    return {
        names.KEY_TSIG_NAME: site.tsig_name,
        names.KEY_TSIG_SECRET: site.tsig_secret,
        names.tsig_file(1): block,
    }
