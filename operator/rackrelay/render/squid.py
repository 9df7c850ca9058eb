"""squid.conf: on racks a cache in front of the region's, in regions the one that goes out.

Nothing in it depends on the cluster: reconfiguring Squid fails requests of clients that keep connections. Who may use
it is nginx's to say, which stands in front; Squid says where to.
"""

from rackrelay import names

CACHE = f"{names.DIR_STATE}/squid"

# Where the proxy never goes: this host, private and link-local networks (pods, Services and nodes are in them), and the
# IPv6 forms that lead back to IPv4. Squid itself reads ::ffff:a.b.c.d as a.b.c.d.
_FORBIDDEN = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)


def process(size_mb: int) -> list[str]:
    """Settings of the process and its cache: no pid file, no helpers, logs to standard error."""
    return [
        f"visible_hostname {names.PLACEHOLDER_NODE_NAME}",
        "pid_filename none",
        "pinger_enable off",
        "netdb_filename none",
        "coredump_dir none",
        "cache_log /dev/null",
        "access_log none",
        "shutdown_lifetime 3 seconds",
        "cache_mem 32 MB",
        "maximum_object_size_in_memory 64 KB",
        "maximum_object_size 4 GB",
        f"cache_dir aufs {CACHE} {size_mb} 16 256",
        "client_db off",
        "digest_generation off",
    ]


def packages() -> list[str]:
    """One fetch for a herd: ranged requests fetch the whole package, and who comes meanwhile joins in.

    Packages never change under their name; indexes are asked for again each time.
    """
    return [
        "collapsed_forwarding on",
        r"acl package urlpath_regex -i \.(u?deb|d?dsc|tar\.(gz|xz|bz2|zst))$ /by-hash/",
        "range_offset_limit -1 package",
        "range_offset_limit 0",
        "quick_abort_min 16 MB",
        r"refresh_pattern -i \.(u?deb|dsc|tar\.(gz|xz|bz2|zst))$ 129600 100% 129600",
        "refresh_pattern -i /by-hash/ 129600 100% 129600",
        "refresh_pattern -i /(InRelease|Release|Release\\.gpg|(Packages|Sources)(\\.[a-z0-9]+)?)$ 0 20% 60 refresh-ims",
        "refresh_pattern . 0 20% 1440",
    ]


def rack_port() -> list[str]:
    """The port behind nginx, which names the machine in a PROXY header."""
    return [
        f"http_port 127.0.0.1:{names.PORT_LOCAL_PROXY} require-proxy-header",
        "proxy_protocol_access allow localhost",
        "proxy_protocol_access deny all",
    ]


def region_port() -> list[str]:
    """The port behind nginx, which lets racks in; the machine's address is in the rack's X-Forwarded-For."""
    return [
        f"http_port 127.0.0.1:{names.PORT_LOCAL_PROXY}",
        "follow_x_forwarded_for allow localhost",
        "follow_x_forwarded_for deny all",
        "forwarded_for delete",
        # The region's named, which also listens on this address: dns_nameservers takes no port.
        "dns_nameservers 127.0.0.1",
        "dns_timeout 5 seconds",
        "connect_timeout 5 seconds",
    ]


def parent() -> list[str]:
    """Everything goes to the regions, through the loopback stream that knows which of them live."""
    return [
        f"cache_peer 127.0.0.1 parent {names.PORT_LOCAL_PARENT} 0 no-query no-digest no-netdb-exchange default "
        "connect-timeout=2 connect-fail-limit=1000",
        "never_direct allow all",
        "server_persistent_connections off",
    ]


def destinations(literals_only: bool) -> list[str]:
    """Where machines may go. Racks judge addresses as written and look nothing up; the region's word is final.

    A name that does not resolve passes the region's list and then has no address to connect to; Squid remembers every
    answer for at least a minute, so a name cannot change its address between the two.
    """
    kind = "dst -n" if literals_only else "dst"
    return [
        f"acl forbidden {kind} {' '.join(_FORBIDDEN)}",
        "acl allowed_ports port 80 443 1025-65535",
        "acl tls port 443",
        "http_access deny manager",
        "http_access deny !allowed_ports",
        "http_access deny CONNECT !tls",
        "http_access deny forbidden",
        "http_access allow all",
    ]
