"""named's files of a fleet: as rackrelay renders them, as BIND secondaries with its defaults, as MAAS has them.

Every function gives file name -> text of the server's folder.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from rackrelay import names
from rackrelay.agent.config.views import expand_named
from rackrelay.agent.settings import NodeValues
from rackrelay.daemons.named import NAMED
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController, RegionEndpoint
from rackrelay.model.subnet import Subnet
from rackrelay.render.bind import STATE as RENDERED_STATE
from rackrelay.render.inputs import RackInputs, RegionInputs
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region
from tests.bench.maas import Dns
from tests.bench.zone.stage import STATE

Files = dict[str, str]

KEY = names.tsig_key("bench", "bench")
KEY_FILE = names.tsig_file(1)
RACK_NETWORK = ip_network("10.77.0.0/16")


@dataclass(frozen=True)
class Place:
    """Where one server runs. `regions` and `racks` are the addresses of the fleet's servers."""

    server: str
    address: str
    regions: tuple[str, ...]
    racks: tuple[str, ...]
    domain: str

    @property
    def folder(self) -> str:
        """Its own folder, as it sees it."""
        return f"{STATE}/{self.server}"


def ours_on_rack(place: Place) -> Files:
    """What a rack's named runs, but for its folders. The Subnet's network is nobody's here: the node's address is."""
    endpoints = tuple(RegionEndpoint(n, f"bench-region-{n}", address) for n, address in enumerate(place.regions))
    return _named_files(render_rack(RackInputs(_region(place), (_SUBNET,), endpoints)), place)


def ours_on_region(place: Place) -> Files:
    """What a region replica's named runs, but for its folders."""
    return _named_files(render_region(RegionInputs(_region(place), (_SUBNET,), (RACK_NETWORK,))), place)


def secondary_on_rack(place: Place) -> Files:
    """A secondary of all regions: nothing but where it listens and whom it copies differs from BIND's defaults."""
    primaries = " ".join(f"{address} port {names.PORT_REGION_DNS};" for address in place.regions)
    zone = ["type secondary;", f"primaries {{ {primaries} }};", _zone_file(place)]
    return _document(_listen(place, names.PORT_DNS), zone, place)


def secondary_on_region(place: Place) -> Files:
    """A primary that takes our updates and notifies every rack at once, with BIND's defaults for all else."""
    racks = " ".join(f"{address} port {names.PORT_DNS};" for address in place.racks)
    zone = ["type primary;", _zone_file(place), f'allow-update {{ key "{KEY}"; }};', f"also-notify {{ {racks} }};"]
    # BIND's default lets nobody copy.
    zone.append("allow-transfer { any; };")
    return _document(_listen(place, names.PORT_REGION_DNS), zone, place)


def maas_on_rack(place: Place, dns: Dns) -> Files:
    """A MAAS rack: no zone, every region is a forwarder. The regions' port is ours, nothing depends on it."""
    return _document([*_listen(place, names.PORT_DNS), *_filled(dns.rack_options, place)], None, place)


def maas_on_region(place: Place, dns: Dns) -> Files:
    """A MAAS region: primary of the zone."""
    zone = [*_filled(dns.region_zone, place), _zone_file(place)]
    return _document([*_listen(place, names.PORT_REGION_DNS), *_filled(dns.region_options, place)], zone, place)


_SUBNET = Subnet(Meta("bench", "bench"), ip_network("10.10.0.0/24"))


def _region(place: Place) -> RegionController:
    return RegionController(Meta("bench", "bench"), domain=place.domain, dnssec_validation="Disabled")


def _named_files(rendered: Mapping[str, str], place: Place) -> Files:
    """named.conf and what it names, with this server's values and its one folder for all."""
    values = NodeValues(node_ip=place.address, node_name=place.server)
    wanted = expand_named(rendered, values, ())
    found = {NAMED.file: wanted.text, **wanted.companions}
    folders = (RENDERED_STATE, names.DIR_RUN, names.DIR_TSIG)
    return {name: re.sub("|".join(folders), place.folder, text) for name, text in found.items()}


def _filled(statements: Sequence[str], place: Place) -> list[str]:
    values = {
        "@REGIONS@": " ".join(f"{address} port {names.PORT_REGION_DNS};" for address in place.regions),
        "@TRUSTED@": f"{RACK_NETWORK};",
        "@KEY@": f'"{KEY}"',
    }
    return [re.sub("@[A-Z]+@", lambda found: values[found[0]], statement) for statement in statements]


def _listen(place: Place, port: int) -> list[str]:
    return [f"listen-on port {port} {{ {place.address}; }};", "listen-on-v6 { none; };"]


def _zone_file(place: Place) -> str:
    return f'file "{place.folder}/{place.domain}.zone";'


def _document(options: Sequence[str], zone: Sequence[str] | None, place: Place) -> Files:
    own = [f'directory "{place.folder}";', "pid-file none;", "session-keyfile none;", *options]
    blocks = [f'include "{place.folder}/{KEY_FILE}";', "controls { };", _block("options", own)]
    if zone is not None:
        blocks.append(_block(f'zone "{place.domain}"', zone))
    return {NAMED.file: "\n".join(blocks) + "\n"}


def _block(head: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{head} {{", *(f"    {line}" for line in lines), "};"])
