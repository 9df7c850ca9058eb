"""The configuration of racks: the same for every rack of a RackController, the agent adds what is the node's own."""

from rackrelay import names
from rackrelay.addresses import Address, Network
from rackrelay.daemons.named import NAMED
from rackrelay.daemons.nginx import NGINX
from rackrelay.daemons.rsyslogd import RSYSLOGD
from rackrelay.daemons.squid import SQUID
from rackrelay.daemons.table import daemon_names
from rackrelay.model.region import RegionEndpoint
from rackrelay.protocol.agent_config import AgentConfig, write_agent_config
from rackrelay.render import bind, nginx, quoting, rsyslog, squid, views
from rackrelay.render.inputs import RackInputs
from rackrelay.render.text import document

TITLE = "Written by rackrelay for racks; changes are overwritten."
_CACHE_MB = 8192
# From where the agent asks as machines do. Nobody outside the node can send from there and get an answer.
_AGENT = "127.0.0.1"


def render_rack(inputs: RackInputs) -> dict[str, str]:
    """File name -> text, as the racks' ConfigMap holds them.

    Raises:
        InvalidSpec: a value cannot stand in a configuration file.
    """
    return {
        NAMED.file: _named(inputs),
        NGINX.file: _nginx(inputs),
        RSYSLOGD.file: _rsyslog(),
        SQUID.file: _squid(),
        names.FILE_AGENT: _agent(inputs),
        names.FILE_VIEWS: views.views_file(inputs.region, inputs.subnets),
    }


def _named(inputs: RackInputs) -> str:
    nets = quoting.networks([s.cidr for s in inputs.subnets])
    keys = bind.key_names(inputs.region, inputs.key_rotations)
    return document(
        TITLE,
        bind.header(inputs.key_rotations),
        bind.options(
            # Not loopback: something else of the node's may have port 53 there.
            bind.listen(names.PORT_DNS, nets, names.PLACEHOLDER_NODE_IP),
            bind.recursion([]),
            _forwarding(inputs),
            bind.cache("64m"),
            bind.one_cache(),
            # Whom it forwards to validates.
            bind.validation("Disabled"),
        ),
        bind.logging(),
        views.views(inputs.region, inputs.subnets, keys),
    )


def _forwarding(inputs: RackInputs) -> list[str]:
    external = inputs.region.external_dns
    if external is not None:
        return bind.forwarding_outside(external)
    return bind.forwarding(_regions(inputs), names.PORT_REGION_DNS)


def _nginx(inputs: RackInputs) -> str:
    nets = quoting.networks([s.cidr for s in inputs.subnets])
    proxied = quoting.networks([s.cidr for s in inputs.subnets if s.allow_proxy])
    regions = _regions(inputs)
    http_port = quoting.port("spec.http.port", inputs.region.http_port)
    return document(
        TITLE,
        nginx.main(),
        nginx.http(
            nginx.route_map(),
            nginx.host_map(),
            nginx.upstream("region_http", regions, http_port),
            nginx.status_server(),
            nginx.http_server(
                nginx.listens([names.PORT_RACK_HTTP], _has_ipv6(nets)),
                nginx.access(nets, _AGENT),
                [*nginx.relay_to("http://region_http"), *nginx.client_headers()],
            ),
        ),
        nginx.stream(
            nginx.upstream("region_proxy", regions, names.PORT_REGION_PROXY),
            nginx.upstream("region_syslog", regions, names.PORT_REGION_SYSLOG),
            nginx.stream_server(
                nginx.listens(names.PORTS_RACK_PROXY, _has_ipv6(nets)),
                nginx.access(proxied, _AGENT),
                f"127.0.0.1:{names.PORT_LOCAL_PROXY}",
                "proxy_protocol on;",
            ),
            nginx.stream_server([f"listen 127.0.0.1:{names.PORT_LOCAL_PARENT};"], [], "region_proxy"),
            nginx.stream_server([f"listen 127.0.0.1:{names.PORT_LOCAL_RELP};"], [], "region_syslog"),
        ),
    )


def _rsyslog() -> str:
    return document(
        TITLE,
        rsyslog.common("imudp", "imptcp", "omrelp"),
        rsyslog.health_template(),
        rsyslog.relay_template(),
        rsyslog.relay_intake(),
    )


def _squid() -> str:
    return document(
        TITLE,
        squid.process(_CACHE_MB),
        squid.rack_port(),
        squid.parent(),
        squid.packages(),
        squid.destinations(literals_only=True),
    )


def _agent(inputs: RackInputs) -> str:
    region = inputs.region
    own = [s.cidr for s in inputs.subnets if s.served_by is None]
    config = AgentConfig(
        kind="rack",
        domain=quoting.domain_name("spec.domain", region.domain),
        ttl_s=region.ttl_s,
        daemons=daemon_names(names.COMPONENT_RACK),
        dns_port=names.PORT_DNS,
        regions=tuple(str(address) for address in _regions(inputs)),
        http_port=quoting.port("spec.http.port", region.http_port),
        heartbeats=_heartbeats(inputs),
        heartbeat_s=region.detection.interval_s,
        misses=region.detection.misses,
        subnets=tuple(quoting.networks(own)),
    )
    return write_agent_config(config)


def _regions(inputs: RackInputs) -> list[Address]:
    return quoting.addresses("status.endpoints", tuple(e.address for e in _endpoints(inputs)))


def _heartbeats(inputs: RackInputs) -> tuple[tuple[str, int], ...]:
    targets = [(e.address, names.port_heartbeat(e.ordinal)) for e in _endpoints(inputs)]
    return tuple((str(quoting.address("status.endpoints", address)), port) for address, port in targets)


def _endpoints(inputs: RackInputs) -> list[RegionEndpoint]:
    return sorted(inputs.endpoints, key=lambda e: (e.ordinal, e.name))


def _has_ipv6(nets: list[Network]) -> bool:
    return any(net.version == 6 for net in nets)
