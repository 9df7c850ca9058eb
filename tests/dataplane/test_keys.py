"""The TSIG key is replaced again and again while UPDATEs keep coming, and no server ever refuses one."""

import base64
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import dns.exception
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from rackrelay import names
from rackrelay.controllers.resources.keys import KeyPlan, next_plan
from rackrelay.manifests.secrets import build_keys_secret
from rackrelay.protocol.digest import config_digest
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region
from tests.dataplane import site as place
from tests.dataplane.pod import Pod, wait_until
from tests.dataplane.site import Site, build_site

pytestmark = pytest.mark.dataplane

ROTATIONS = 5
REGION_KEY = place.REGION.meta.key


@pytest.fixture(scope="module")
def site(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of this module's own, because the tests replace its keys."""
    with build_site(image_root, tmp_path_factory.mktemp("keys")) as built:
        yield built


@dataclass
class Sender:
    """Signs UPDATEs to the rack and the region by turns with `signing`, one after the other, until it is stopped."""

    site: Site
    secrets: dict[int, str]
    signing: int = 1
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_key: Counter[int] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        targets = (("region", place.RACK_IP, names.PORT_DNS), ("rack", place.REGION_IP, names.PORT_REGION_DNS))
        count = 0
        while not self.stop.is_set():
            where, server, port = targets[count % 2]
            self.outcomes[(server, self.send(where, server, port, count % 250))] += 1
            count += 1
            time.sleep(0.01)

    def send(self, where: str, server: str, port: int, number: int) -> str:
        rotation = self.signing
        self.by_key[rotation] += 1
        keyring = dns.tsigkeyring.from_text({names.tsig_key(*REGION_KEY, rotation): self.secrets[rotation]})
        update = dns.update.UpdateMessage(place.DOMAIN, keyring=keyring)
        update.replace(f"10-20-{number}-0--24.{place.DOMAIN}.", 15, "A", f"10.20.{number}.2")
        try:
            with self.site.spaces[where].inside():
                return dns.rcode.to_text(dns.query.udp(update, server, port=port, timeout=5).rcode())
        except dns.exception.DNSException as error:
            return type(error).__name__


def configure(site: Site, plan: KeyPlan, mounted: dict[int, str]) -> None:
    """Mount the keys and the configuration that accepts the plan's, and wait until all run it."""
    files = build_keys_secret(*REGION_KEY, mounted, (plan.accepted, plan.signing))["data"]
    texts = {name: base64.b64decode(text).decode() for name, text in files.items()}
    configurations = (
        (site.rack, render_rack(replace(place.RACK_INPUTS, key_rotations=plan.accepted))),
        (site.region, render_region(replace(place.REGION_INPUTS, key_rotations=plan.accepted))),
    )
    for pod, data in configurations:
        # The kubelet promises no order: the configuration may be there before its key is.
        pod.configure(data)
        time.sleep(0.3)
        pod.mount_keys(texts)
    for pod, data in configurations:
        wait_until(lambda p=pod, d=data: _runs(site, p, d), f"{pod.node} runs {plan}", pod.log)


def _runs(site: Site, pod: Pod, data: dict[str, str]) -> bool:
    config = site.status(pod)[1]["config"]
    return bool(config["hash"] == config_digest(data) and config["applied"])


def test_five_rotations_under_a_stream_of_updates_refuse_none(site: Site) -> None:
    keys = {1: site.tsig_secret} | {r: base64.b64encode(secrets.token_bytes(32)).decode() for r in range(2, 7)}
    sender = Sender(site, keys)
    thread = threading.Thread(target=sender.run)
    thread.start()
    plan = KeyPlan((1,), 1)
    try:
        for wanted in range(2, 2 + ROTATIONS):
            while plan != KeyPlan((wanted,), wanted):
                before, plan = plan, next_plan(plan, wanted, applied=True)
                configure(site, plan, {r: keys[r] for r in {*before.accepted, *plan.accepted}})
                sender.signing = plan.signing
    finally:
        sender.stop.set()
        thread.join(20)
    assert set(sender.outcomes) == {(place.RACK_IP, "NOERROR"), (place.REGION_IP, "NOERROR")}
    assert set(sender.by_key) == set(range(1, 2 + ROTATIONS))
    print(f"{sender.outcomes.total()} UPDATEs in {ROTATIONS} rotations, by key: {dict(sender.by_key)}")


def test_key_that_was_replaced_changes_nothing_any_more(site: Site) -> None:
    sender = Sender(site, {1: site.tsig_secret}, signing=1)
    for where, server, port in (("region", place.RACK_IP, 53), ("rack", place.REGION_IP, 5242)):
        assert sender.send(where, server, port, 1) != "NOERROR"
