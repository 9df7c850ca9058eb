"""The configuration of region replicas: nginx is the gate that lets racks in, what is behind it never changes."""

from rackrelay import names
from rackrelay.daemons.named import NAMED
from rackrelay.daemons.nginx import NGINX
from rackrelay.daemons.rsyslogd import RSYSLOGD
from rackrelay.daemons.squid import SQUID
from rackrelay.daemons.table import daemon_names
from rackrelay.model.region import RegionController
from rackrelay.protocol.agent_config import AgentConfig, write_agent_config
from rackrelay.render import bind, nginx, quoting, rsyslog, squid
from rackrelay.render.inputs import RegionInputs
from rackrelay.render.text import document

TITLE = "Written by rackrelay for region replicas; changes are overwritten."
_CACHE_MB = 8192


def render_region(inputs: RegionInputs) -> dict[str, str]:
    """File name -> text, as the regions' ConfigMap holds them.

    Raises:
        InvalidSpec: a value cannot stand in a configuration file.
    """
    return {
        NAMED.file: _named(inputs),
        NGINX.file: _nginx(inputs),
        RSYSLOGD.file: _rsyslog(),
        SQUID.file: _squid(),
        names.FILE_AGENT: _agent(inputs),
    }


def _named(inputs: RegionInputs) -> str:
    region = inputs.region
    domain = quoting.domain_name("spec.domain", region.domain)
    return document(
        TITLE,
        bind.header(inputs.key_rotations),
        bind.options(
            [f"listen-on port {names.PORT_DNS} {{ 127.0.0.1; }};"],
            [f"listen-on port {names.PORT_REGION_DNS} {{ any; }};"],
            [f"listen-on-v6 port {names.PORT_REGION_DNS} {{ any; }};"],
            bind.recursion(quoting.networks(inputs.racks)),
            _forwarding(region),
            bind.cache("128m"),
            bind.validation(region.dnssec_validation),
        ),
        bind.trust_anchors(region.dnssec_validation),
        bind.logging(),
        bind.internal_zone(domain, bind.key_names(region, inputs.key_rotations)),
    )


def _forwarding(region: RegionController) -> list[str]:
    """Whom the region asks for its Squid and for racks; nobody: it resolves from the root servers."""
    if region.external_dns is not None:
        return bind.forwarding_outside(region.external_dns)
    forwarders = quoting.addresses("spec.dns.forwarders", region.forwarders)
    return bind.forwarding(forwarders, names.PORT_DNS) if forwarders else []


def _nginx(inputs: RegionInputs) -> str:
    racks = nginx.access(quoting.networks(inputs.racks))
    port = quoting.port("spec.http.port", inputs.region.http_port)
    return document(
        TITLE,
        nginx.main(),
        nginx.http(
            nginx.route_map(),
            nginx.host_map(),
            nginx.status_server(),
            nginx.http_server(
                nginx.listens([port], ipv6=True),
                racks,
                nginx.relay_to(f"http://127.0.0.1:{names.PORT_LOCAL_HTTP}"),
            ),
        ),
        nginx.stream(
            nginx.stream_server(
                nginx.listens([names.PORT_REGION_PROXY], ipv6=True), racks, f"127.0.0.1:{names.PORT_LOCAL_PROXY}"
            ),
            nginx.stream_server(
                nginx.listens([names.PORT_REGION_SYSLOG], ipv6=True), racks, f"127.0.0.1:{names.PORT_LOCAL_COLLECTOR}"
            ),
        ),
    )


def _rsyslog() -> str:
    return document(TITLE, rsyslog.common("imrelp"), rsyslog.collector())


def _squid() -> str:
    return document(
        TITLE,
        squid.process(_CACHE_MB),
        squid.region_port(),
        squid.packages(),
        squid.destinations(literals_only=False),
    )


def _agent(inputs: RegionInputs) -> str:
    region = inputs.region
    config = AgentConfig(
        kind="region",
        domain=quoting.domain_name("spec.domain", region.domain),
        ttl_s=region.ttl_s,
        daemons=daemon_names(names.COMPONENT_REGION),
        dns_port=names.PORT_REGION_DNS,
        regions=(),
        http_port=quoting.port("spec.http.port", region.http_port),
        heartbeat_s=region.detection.interval_s,
        misses=region.detection.misses,
    )
    return write_agent_config(config)
