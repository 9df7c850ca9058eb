"""The agent among real daemons: what it reports, what it lets through, and what happens when something dies."""

import contextlib
import http.client
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import dns.exception
import dns.rcode
import pytest

from rackrelay.model.meta import Meta
from rackrelay.model.subnet import Subnet
from rackrelay.protocol.digest import config_digest
from rackrelay.render.rack import render_rack
from tests.dataplane import site as place
from tests.dataplane.netns import give
from tests.dataplane.pod import wait_until
from tests.dataplane.site import Site, build_site
from tests.dataplane.test_dns import addresses, ask, ask_serial, send_update
from tests.dataplane.test_http import request
from tests.dataplane.test_proxy import fetch
from tests.dataplane.test_syslog import find_line, send

pytestmark = pytest.mark.dataplane

FAR = Subnet(Meta("site", "far"), ip_network("10.99.0.0/24"))


@pytest.fixture(scope="module")
def site(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of this module's own, because these tests change it; each leaves it well."""
    with build_site(image_root, tmp_path_factory.mktemp("agent-site")) as built:
        yield built


@pytest.fixture(autouse=True)
def _leave_it_well(site: Site) -> Iterator[None]:
    yield
    site.configure_rack()
    wait_until(lambda: site.all_well(site.rack), "the rack is well again", site.rack.log)


def config_of(site: Site) -> dict[str, object]:
    """The `config` part of the rack's status."""
    config: dict[str, object] = site.status(site.rack)[1]["config"]
    return config


def serial_when_back(site: Site) -> int:
    """The serial that the rack's named serves, as soon as it answers at all."""
    found: list[int] = []

    def answers() -> bool:
        with contextlib.suppress(dns.exception.Timeout):
            found.append(ask_serial(site, "region", place.RACK_IP, 53, timeout_s=0.5))
        return bool(found)

    wait_until(answers, "named answers", lambda: site.rack.log("named"))
    return found[0]


def test_status_needs_the_agent_key(site: Site) -> None:
    assert site.status(site.rack)[0] == 200
    assert site.status(site.rack, key=b"another key")[0] == 401
    with site.rack.namespace.inside():
        connection = http.client.HTTPConnection(site.rack.ip, 5249, timeout=5)
        connection.request("GET", "/status")
    assert connection.getresponse().status == 401
    connection.close()


def test_status_says_who_and_where(site: Site) -> None:
    _, document = site.status(site.rack)
    assert (document["node"], document["pod"]) == ("rack1", "rack1-pod")
    shown = {(a["interface"], a["address"], a["prefix"], a["carrier"]) for a in document["addresses"]}
    assert ("prov0", place.RACK_PROV, 24, True) in shown
    assert ("prov0", place.RACK_PROV6, 64, True) in shown
    assert not [a for a in document["addresses"] if a["address"].startswith(("127.", "::1", "fe80"))]
    assert document["zone"] == {"serial": place.ZONE_SERIAL}
    assert document["regions"] == {"reachable": 1, "known": 1}


def test_late_address_is_reported_and_served_without_a_reload(site: Site) -> None:
    named = site.rack.pid("named")
    give(site.spaces["rack"], "prov0", "10.10.0.3/24")
    wait_until(lambda: "10.10.0.3" in str(site.status(site.rack)[1]["addresses"]), "the agent reports it")
    assert addresses(ask(site, "client", "10.10.0.3", place.SUBNET_NAME)) == [place.RACK_PROV]
    assert request(site, "/MAAS/metadata/", server="10.10.0.3").status == 200
    site.spaces["rack"].ip("address", "delete", "10.10.0.3/24", "dev", "prov0")
    assert site.rack.pid("named") == named
    gone = time.monotonic()
    wait_until(lambda: "10.10.0.3" not in str(site.status(site.rack)[1]["addresses"]), "the agent reports its loss")
    assert time.monotonic() - gone < 10
    assert not failing(site)


def test_unplugged_link_has_no_carrier(site: Site) -> None:
    site.spaces["client"].ip("link", "set", "prov0", "down")

    def carrier() -> bool:
        shown = site.status(site.rack)[1]["addresses"]
        return bool(next(a["carrier"] for a in shown if a["address"] == place.RACK_PROV))

    wait_until(lambda: not carrier(), "the agent reports the lost carrier")
    site.spaces["client"].ip("link", "set", "prov0", "up")
    give(site.spaces["client"], "prov0", f"{place.CLIENT6}/64")
    wait_until(carrier, "the agent reports the carrier")


def test_further_subnet_is_served_after_a_reload_that_restarts_nothing(site: Site) -> None:
    assert request(site, "/MAAS/metadata/", where="stranger", server=place.RACK_STRANGE).status == 403
    before = {name: site.rack.pid(name) for name in ("named", "nginx", "squid", "rsyslogd")}
    data = site.configure_rack(subnets=(*place.SUBNETS, FAR))
    wait_until(lambda: config_of(site)["hash"] == config_digest(data) and config_of(site)["applied"], "it is applied")
    assert request(site, "/MAAS/metadata/", where="stranger", server=place.RACK_STRANGE).status == 200
    assert addresses(ask(site, "stranger", place.RACK_STRANGE, "pool.example.")) == [place.OUTSIDE]
    assert {name: site.rack.pid(name) for name in before} == before
    assert config_of(site)["restartNeeded"] == []


@pytest.mark.parametrize("daemon", ["named", "nginx", "rsyslogd", "squid"])
def test_bad_file_never_reaches_its_daemon(site: Site, daemon: str) -> None:
    file = {"named": "named.conf", "nginx": "nginx.conf", "rsyslogd": "rsyslog.conf", "squid": "squid.conf"}[daemon]
    data = render_rack(place.RACK_INPUTS)
    live = site.rack.execute("cat", f"/run/rackrelay/{file}").stdout
    site.rack.configure({**data, file: data[file] + "\nnonsense {\n"})
    wait_until(lambda: daemon in str(config_of(site)["rejected"]), "the agent reports the rejection")
    config = config_of(site)
    assert "nonsense" in str(config["rejected"]) or "line" in str(config["rejected"])
    assert not config["applied"]
    assert site.rack.execute("cat", f"/run/rackrelay/{file}").stdout == live
    assert request(site, "/MAAS/metadata/").status == 200


def test_daemons_that_may_not_reload_ask_for_a_restart(site: Site) -> None:
    data = render_rack(place.RACK_INPUTS)
    squid = site.rack.pid("squid")
    site.rack.configure({**data, "squid.conf": data["squid.conf"] + "# changed\n"})
    wait_until(lambda: config_of(site)["restartNeeded"] == ["squid"], "the agent asks for a restart")
    assert site.rack.pid("squid") == squid
    site.configure_rack()
    site.rack.stop_one("squid")
    site.rack.start_one("squid")
    wait_until(lambda: config_of(site)["restartNeeded"] == [], "the restart is seen")


@pytest.mark.parametrize("daemon", ["named", "nginx", "rsyslogd", "squid"])
def test_dead_daemon_is_named_and_its_return_seen(site: Site, daemon: str) -> None:
    # Of a killed nginx the workers live on here; in a pod the container runtime ends them.
    site.rack.stop_one(daemon, kill=daemon != "nginx")

    def well() -> bool:
        return bool(site.status(site.rack)[1]["daemons"][daemon]["ok"])

    wait_until(lambda: not well(), f"the agent misses {daemon}")
    _, document = site.status(site.rack)
    assert document["daemons"][daemon]["message"]
    assert all(d["ok"] for name, d in document["daemons"].items() if name != daemon)
    site.rack.start_one(daemon)
    wait_until(well, f"the agent sees {daemon} again", lambda: site.rack.log(daemon))


@pytest.mark.parametrize("daemon", ["named", "nginx", "rsyslogd", "squid"])
def test_hung_daemon_is_found_by_asking_it(site: Site, daemon: str) -> None:
    if daemon == "nginx":
        site.rack.signal_workers(daemon, signal.SIGSTOP)
    site.rack.signal(daemon, signal.SIGSTOP)
    try:
        took = seconds_until_failing(site, daemon)
        assert set(failing(site)) == {daemon}
    finally:
        site.rack.signal(daemon, signal.SIGCONT)
        if daemon == "nginx":
            site.rack.signal_workers(daemon, signal.SIGCONT)
    assert took < 5


@pytest.mark.parametrize(
    ("rule", "daemon", "where"),
    [
        ("tcp dport 5248", "nginx", "port 5248"),
        ("tcp dport 8000", "nginx", "port 8000"),
        ("udp dport 5247", "rsyslogd", "UDP"),
        (f"ip daddr {place.RACK_PROV} udp dport 53", "named", place.RACK_PROV),
    ],
)
def test_port_that_machines_cannot_reach_is_named(site: Site, rule: str, daemon: str, where: str) -> None:
    with site.spaces["rack"].dropping(rule):
        seconds_until_failing(site, daemon)
        assert set(failing(site)) == {daemon}
        assert where in failing(site)[daemon]
    wait_until(lambda: not failing(site), "all is well again")


def failing(site: Site) -> dict[str, str]:
    """What the rack's agent says is wrong with which daemon."""
    daemons = site.status(site.rack)[1]["daemons"]
    return {name: d["message"] for name, d in daemons.items() if not d["ok"]}


def seconds_until_failing(site: Site, daemon: str) -> float:
    """How long it takes until the agent says so; shown when the test is run with -rP."""
    begin = time.monotonic()
    wait_until(lambda: daemon in failing(site), f"the agent misses {daemon}")
    took = time.monotonic() - begin
    print(f"{daemon} is failing after {took:.2f} s")
    return took


def test_killed_named_serves_every_update_again(site: Site) -> None:
    serial = ask_serial(site, "region", place.RACK_IP, 53)
    send_update(site, "region", place.RACK_IP, 53, serial, signed=True)
    site.rack.stop_one("named", kill=True)
    site.rack.start_one("named")
    assert serial_when_back(site) == serial + 1


def test_restarted_agent_disturbs_nothing(site: Site) -> None:
    serial = ask_serial(site, "region", place.RACK_IP, 53)
    before = {name: site.rack.pid(name) for name in ("named", "nginx", "squid", "rsyslogd")}
    site.rack.publish(serial + 100, place.ZONE_TEXT.replace(f" {place.ZONE_SERIAL} ", f" {serial + 100} "))
    site.rack.stop_one("agent", kill=True)
    site.rack.start_one("agent")
    wait_until(lambda: site.all_well(site.rack), "the agent is back", site.rack.log)
    assert {name: site.rack.pid(name) for name in before} == before
    assert ask_serial(site, "region", place.RACK_IP, 53) == serial


def test_published_zone_wins_at_a_pods_start_when_it_is_newer(site: Site) -> None:
    serial = ask_serial(site, "region", place.RACK_IP, 53)
    send_update(site, "region", place.RACK_IP, 53, serial, signed=True)
    for published, expected in ((serial, serial + 1), (serial + 50, serial + 50)):
        site.rack.publish(published, place.ZONE_TEXT.replace(f" {place.ZONE_SERIAL} ", f" {published} "))
        for name in ("named", "agent"):
            site.rack.stop_one(name, kill=True)
        site.rack.execute("rm", "/run/rackrelay/ready")
        site.rack.start("named")
        assert serial_when_back(site) == expected


def test_outage_of_all_regions_leaves_machines_what_the_rack_has_itself(site: Site) -> None:
    mark = secrets.token_hex(8)
    package = place.FILES["/pool/tool.deb"]
    assert fetch(site, "http://pool.example/pool/tool.deb") == (200, package)
    site.spaces["rack"].ip("link", "set", "fab0", "down")
    answer = request(site, "/MAAS/metadata/")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert addresses(ask(site, "client", place.RACK_PROV, place.SUBNET_NAME)) == [place.RACK_PROV]
    assert fetch(site, "http://pool.example/pool/tool.deb") == (200, package)
    assert fetch(site, "http://pool.example/never-fetched")[0] in (502, 503)
    for number in range(5):
        send(site, f'<14>1 2026-11-03T10:11:12Z machine-7 app 7 - [a@1 b="c"] {mark}-{number}', "tcp")
    # A stopping rsyslogd keeps on disk what it holds, what it was just sending included.
    site.rack.stop_one("rsyslogd")
    site.rack.start_one("rsyslogd")
    site.spaces["rack"].ip("link", "set", "fab0", "up")
    for number in range(5):
        folder, line = find_line(site, f"{mark}-{number}")
        assert folder == place.CLIENT
        assert f'machine-7 app 7 - [rack@32473 from="{place.CLIENT}"' in line
        assert line.endswith(f'][a@1 b="c"] {mark}-{number}')
    wait_until(lambda: site.status(site.rack)[1]["regions"]["reachable"] == 1, "the region is in reach again")
    wait_until(lambda: request(site, "/MAAS/metadata/").status == 200, "metadata is served again")
    assert addresses(ask(site, "client", place.RACK_PROV, "pool.example.")) == [place.OUTSIDE]


def test_unreachable_region_is_counted(site: Site) -> None:
    site.region.stop_one("nginx")
    wait_until(lambda: site.status(site.rack)[1]["regions"] == {"reachable": 0, "known": 1}, "the agent misses it")
    site.region.start_one("nginx")
    wait_until(lambda: site.status(site.rack)[1]["regions"] == {"reachable": 1, "known": 1}, "the agent sees it")


def test_slow_and_wrong_callers_do_not_shut_out_the_operator(site: Site) -> None:
    with site.rack.namespace.inside():
        idle = [socket.create_connection((site.rack.ip, 5249), timeout=5) for _ in range(200)]
        huge = socket.create_connection((site.rack.ip, 5249), timeout=10)
    assert site.status(site.rack)[0] == 200
    huge.sendall(b"GET /status HTTP/1.1\r\nX: " + b"a" * 100_000)
    with contextlib.suppress(ConnectionResetError):
        assert huge.recv(1) == b""
    for connection in (*idle, huge):
        connection.close()


def test_rack_without_regions_answers_at_once(site: Site) -> None:
    site.configure_rack(endpoints=())
    wait_until(lambda: config_of(site)["applied"] and not site.status(site.rack)[1]["regions"]["known"], "applied")
    assert request(site, "/MAAS/metadata/").status == 503
    assert ask(site, "client", place.RACK_PROV, "never-asked.example.").rcode() == dns.rcode.SERVFAIL
    assert addresses(ask(site, "client", place.RACK_PROV, place.SUBNET_NAME)) == [place.RACK_PROV]
