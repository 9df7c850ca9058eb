"""`python3 -m rackrelay.metadata`: behind the region's nginx, on loopback only."""

from aiohttp import web

from rackrelay import names
from rackrelay.metadata.service import build_app


def main() -> None:
    """Serve until the kubelet stops the container."""
    web.run_app(build_app(), host="127.0.0.1", port=names.PORT_LOCAL_HTTP, access_log=None, print=None)


if __name__ == "__main__":
    main()
