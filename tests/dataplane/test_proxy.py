"""A machine's downloads through the rack's Squid and the region's, and what neither fetches."""

import http.client

import pytest

from tests.dataplane import site as place
from tests.dataplane.site import Site

pytestmark = pytest.mark.dataplane


def fetch(site: Site, url: str, port: int = 8000, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body of a request to the rack's proxy."""
    with site.spaces["client"].inside():
        connection = http.client.HTTPConnection(place.RACK_PROV, port, timeout=20)
        connection.request("GET", url, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@pytest.mark.parametrize("port", [8000, 3128])
@pytest.mark.parametrize("host", ["pool.example", place.OUTSIDE])
def test_machine_downloads_a_file_from_beyond_the_region(site: Site, port: int, host: str) -> None:
    assert fetch(site, f"http://{host}/pool/tool.deb", port) == (200, place.FILES["/pool/tool.deb"])


def test_a_package_is_fetched_from_its_origin_once(site: Site) -> None:
    url = "http://pool.example/pool/tool.deb"
    fetch(site, url)
    before = site.outside.requests.count("/pool/tool.deb")
    status, body = fetch(site, url, headers={"Range": "bytes=100-199"})
    assert (status, body) == (206, place.FILES["/pool/tool.deb"][100:200])
    assert site.outside.requests.count("/pool/tool.deb") == before


@pytest.mark.parametrize(
    "url",
    [
        f"http://{place.REGION_IP}:5240/MAAS/metadata/",
        "http://127.0.0.1:5249/status",
        "http://[::1]:5249/status",
        "http://[::ffff:127.0.0.1]:5249/status",
        "http://[64:ff9b::a0a:a0a]/",
        "http://[2002:a0a:a0a::1]/",
        "http://[fd00:10::101]/",
        "http://10.96.0.1:443/",
        "http://169.254.169.254/latest/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://pool.example:22/",
        "http://inside.example/",
    ],
)
def test_private_addresses_and_names_of_them_are_refused(site: Site, url: str) -> None:
    before = len(site.outside.requests)
    status, _ = fetch(site, url)
    assert status == 403
    assert len(site.outside.requests) == before


def test_unknown_name_is_an_error(site: Site) -> None:
    assert fetch(site, "http://nothing.example/")[0] == 503


def test_connect_goes_to_port_443_only(site: Site) -> None:
    with site.spaces["client"].inside():
        connection = http.client.HTTPConnection(place.RACK_PROV, 8000, timeout=20)
        connection.set_tunnel("pool.example", 80)
        with pytest.raises(OSError, match="403"):
            connection.connect()
    connection.close()


@pytest.mark.parametrize("server", [place.RACK_STRANGE, place.RACK_PROV, place.RACK_IP])
def test_stranger_is_cut_off(site: Site, server: str) -> None:
    with site.spaces["stranger"].inside():
        connection = http.client.HTTPConnection(server, 8000, timeout=5)
        connection.request("GET", "http://pool.example/hello")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()
