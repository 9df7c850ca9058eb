"""nginx.conf, block by block. What differs between rack and region is composed in rack.py and region.py."""

from collections.abc import Iterable, Sequence

from rackrelay import names
from rackrelay.addresses import Address, Network
from rackrelay.protocol import paths
from rackrelay.render.quoting import host_port
from rackrelay.render.text import block

# One segment of a path: no percent escape, no backslash or semicolon, and never a dot first, so no "..".
_SEGMENT = "[A-Za-z0-9_:~-][A-Za-z0-9_:.~-]*"
_QUERY = r"(\?([A-Za-z0-9._~:/@!$&()*+,;=?-]|%[0-9A-Fa-f][0-9A-Fa-f])*)?"
METADATA_PATHS = f"~^{paths.METADATA.rstrip('/')}(/({_SEGMENT}/)*({_SEGMENT})?)?{_QUERY}$"

_RETRY_AFTER_S = 5
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def main() -> list[str]:
    """The process: in the foreground, logs to standard error, nothing written outside /tmp."""
    return [
        "load_module modules/ngx_stream_module.so;",
        "daemon off;",
        "worker_processes 2;",
        "error_log stderr warn;",
        "pid /tmp/nginx.pid;",
        # Workers of the configuration before last end their long connections after this.
        "worker_shutdown_timeout 300s;",
        *block("events", ["worker_connections 8192;"]),
    ]


def http(*parts: Iterable[str]) -> list[str]:
    """The http block around what the parts say."""
    common = [
        "server_tokens off;",
        "access_log off;",
        "default_type text/plain;",
        *(f"{name}_temp_path /tmp/nginx-{name};" for name in _TEMPORARY),
        # The path that is checked is the one that was sent.
        "merge_slashes off;",
        # An idle connection that a reload closes is a failed request at the client.
        "keepalive_timeout 0;",
        "client_max_body_size 64m;",
    ]
    return block("http", [*common, *_spaced(parts)])


def stream(*parts: Iterable[str]) -> list[str]:
    """The stream block: connections are given up on early, kept for long, and checked for life by the kernel."""
    common = [
        "proxy_connect_timeout 250ms;",
        "proxy_timeout 12h;",
        "proxy_socket_keepalive on;",
    ]
    return block("stream", [*common, *_spaced(parts)])


def route_map() -> list[str]:
    """An allow-list of raw request URIs: $route is empty for everything that machines may not ask for."""
    return block("map $request_uri $route", ['default "";', f'"{METADATA_PATHS}" metadata;'])


def host_map() -> list[str]:
    """The Host that goes upstream: the machine's own, which HTTP/1.0 may leave out and HTTP/1.1 may not."""
    return block("map $http_host $upstream_host", ["default $http_host;", '"" $server_addr;'])


def upstream(name: str, servers: Sequence[Address], port: int) -> list[str]:
    """The region's replicas; a dead one is left alone for 5 s. Without any, one that is always down."""
    lines = [f"server {host_port(s, port)} max_fails=1 fail_timeout=5s;" for s in servers]
    return block(f"upstream {name}", [f"zone {name} 64k;", *(lines or ["server 127.0.0.1:1 down;"])])


def status_server() -> list[str]:
    """Loopback only: the hash of the running configuration, for the agent."""
    return block(
        "server",
        [
            f"listen 127.0.0.1:{names.PORT_LOCAL_STATUS};",
            *block("location /", [f'return 200 "{names.PLACEHOLDER_CONFIG_HASH}";']),
        ],
    )


def http_server(listens: Iterable[str], access: Iterable[str], location: Iterable[str]) -> list[str]:
    """The server that relays allowed paths and answers 503 while what is behind it does not answer."""
    unavailable = [
        "internal;",
        f"add_header Retry-After {_RETRY_AFTER_S} always;",
        'return 503 "The region does not answer; try again.\\n";',
    ]
    refuse = [
        *block('if ($route = "")', ["return 404;"]),
        *block("if ($request_method !~ ^(GET|HEAD|POST)$)", ["return 405;"]),
    ]
    return block(
        "server",
        [
            *listens,
            *access,
            "error_page 502 504 =503 @unavailable;",
            *block("location /", [*refuse, *location]),
            *block("location @unavailable", unavailable),
        ],
    )


def relay_to(upstream_url: str) -> list[str]:
    """Relay a request as it came, its Authorization and Date included; the next replica gets it when one is dead."""
    return [
        f"proxy_pass {upstream_url};",
        # No keep-alive to the regions: a POST on a connection that has just died cannot be sent again.
        "proxy_http_version 1.1;",
        "proxy_connect_timeout 250ms;",
        "proxy_read_timeout 600s;",
        "proxy_next_upstream error timeout http_502 http_503;",
        "proxy_intercept_errors on;",
        "proxy_max_temp_file_size 0;",
        "proxy_set_header Host $upstream_host;",
        'proxy_set_header Forwarded "";',
    ]


def client_headers() -> list[str]:
    """Say who asked, and drop what the machine said about that."""
    return ["proxy_set_header X-Forwarded-For $remote_addr;", "proxy_set_header X-Real-IP $remote_addr;"]


def listens(ports: Iterable[int], ipv6: bool) -> list[str]:
    """Wildcard listens: an address that the node gets later needs no reload, the access rules choose who is served."""
    lines = []
    for port in ports:
        lines.append(f"listen {port};")
        if ipv6:
            lines.append(f"listen [::]:{port} ipv6only=on;")
    return lines


def access(nets: Sequence[Network], *more: str) -> list[str]:
    """Serve the networks and nobody else."""
    return [*(f"allow {net};" for net in (*more, *nets)), "deny all;"]


def stream_server(listens: Iterable[str], access: Iterable[str], target: str, *more: str) -> list[str]:
    """Pass TCP connections on to an address or an upstream."""
    return block("server", [*listens, *access, f"proxy_pass {target};", *more])


def _spaced(parts: Iterable[Iterable[str]]) -> list[str]:
    return [line for part in parts for line in ("", *part)]
