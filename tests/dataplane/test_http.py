"""A machine's HTTP requests through the rack's nginx, the region's nginx and the metadata service."""

import http.client
import socket

import pytest

from tests.dataplane import site as place
from tests.dataplane.site import Site

pytestmark = pytest.mark.dataplane


def request(
    site: Site, path: str, method: str = "GET", where: str = "client", server: str = place.RACK_PROV
) -> http.client.HTTPResponse:
    """The answer, read whole; the path goes out as it is written here."""
    with site.spaces[where].inside():
        sock = socket.create_connection((server, 5248), timeout=5)
    sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: rack:5248\r\nConnection: close\r\n\r\n".encode())
    answer = http.client.HTTPResponse(sock, method=method)
    answer.begin()
    answer.body = answer.read()  # type: ignore[attr-defined]
    sock.close()
    return answer


@pytest.mark.parametrize("server", [place.RACK_PROV, place.RACK_PROV6])
@pytest.mark.parametrize("path", ["/MAAS/metadata/", "/MAAS/metadata", "/MAAS/metadata/?op=x&y=%20"])
def test_machine_gets_the_version_index(site: Site, server: str, path: str) -> None:
    answer = request(site, path, server=server)
    assert (answer.status, answer.body) == (200, b"latest\n2012-03-01\n")  # type: ignore[attr-defined]
    assert answer.headers.get_content_type() == "text/plain"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/MAAS/api/2.0/",
        "/MAAS/metadata/../api/2.0/",
        "/MAAS/metadata/..;/api",
        "/MAAS/metadata/%2e%2e/api",
        "/MAAS/metadata/%252e%252e/api",
        "/MAAS/metadata/..%5capi",
        "/MAAS/metadata/a\\..\\api",
        "//MAAS/metadata/",
        "/MAAS//metadata/",
        "/MAAS/metadata//latest/",
        "/MAAS/metadata/./latest/",
        "/MAAS/metadata/.hidden",
        "/MAAS/metadatax",
        "/maas/metadata/",
        "/MAAS/metadata/?a=%zz",
        "http://elsewhere/MAAS/api/",
    ],
)
def test_every_other_path_is_unknown(site: Site, path: str) -> None:
    assert request(site, path).status == 404


def test_other_methods_are_refused(site: Site) -> None:
    assert request(site, "/MAAS/metadata/", "DELETE").status == 405


@pytest.mark.parametrize("server", [place.RACK_STRANGE, place.RACK_PROV, place.RACK_IP])
def test_stranger_is_refused(site: Site, server: str) -> None:
    assert request(site, "/MAAS/metadata/", where="stranger", server=server).status == 403


def test_only_racks_reach_a_regions_http_port(site: Site) -> None:
    with site.spaces["outside"].inside():
        connection = http.client.HTTPConnection("203.0.113.2", 5240, timeout=5)
        connection.request("GET", "/MAAS/metadata/")
    assert connection.getresponse().status == 403
    connection.close()
