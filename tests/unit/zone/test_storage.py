"""The zone in its ConfigMap: readable while it is short, packed when it is long."""

import base64

import pytest

from rackrelay import names
from rackrelay.agent.config.mounted import Snapshot
from rackrelay.agent.config.zonefile import Published, parse_published
from rackrelay.errors import InvalidSpec, TooLarge
from rackrelay.zone import storage
from rackrelay.zone.plan import Zone, zone_text
from rackrelay.zone.storage import PACK_ABOVE_BYTES, read_zone, zone_fields
from tests import gen

API_SERVER_LIMIT = 2**20


def many(count: int, racks: int = 3) -> Zone:
    """A zone with so many subnets."""
    networks = [(f"10-{i // 256}-{i % 256}-0--24", f"10.{i // 256}.{i % 256}") for i in range(count)]
    rrsets = {(label, "A"): tuple(f"{net}.{n}" for n in range(2, 2 + racks)) for label, net in networks}
    return Zone(gen.DOMAIN, 15, 7, rrsets)


LONG = many(5000)


def mounted(fields: dict[str, dict[str, str]]) -> Snapshot:
    """What an agent finds of a ConfigMap in its volume."""
    packed = {name: base64.b64decode(text) for name, text in fields.get("binaryData", {}).items()}
    return Snapshot("v", fields["data"], packed)


@pytest.mark.parametrize("zone", [pytest.param(many(2), id="short"), pytest.param(LONG, id="long")])
def test_operator_and_agent_read_what_was_kept(zone: Zone) -> None:
    fields = zone_fields(zone)
    assert fields["data"][names.KEY_ZONE_SERIAL] == "7"
    assert read_zone(fields, gen.DOMAIN) == zone
    assert parse_published(mounted(fields)) == Published(7, zone_text(zone))
    assert zone_fields(zone) == fields


def test_short_zone_is_text_alone() -> None:
    assert zone_fields(many(2)) == {"data": {"serial": "7", "zone": zone_text(many(2))}}


def test_five_thousand_subnets_with_forty_racks_fit() -> None:
    fields = zone_fields(many(5000, racks=40))
    packed = base64.b64decode(fields["binaryData"][names.KEY_ZONE_PACKED])
    assert len(zone_text(LONG)) > PACK_ABOVE_BYTES
    assert len(packed) + 100 < API_SERVER_LIMIT


def test_text_of_a_shorter_version_does_not_stay_beside_a_packed_one() -> None:
    """Server-side apply leaves alone what a create wrote and an apply does not mention."""
    assert zone_fields(LONG)["data"][names.KEY_ZONE_TEXT] == ""


def test_packed_leftover_of_a_longer_version_is_not_read() -> None:
    fields = {**zone_fields(many(2)), "binaryData": zone_fields(LONG)["binaryData"]}
    assert read_zone(fields, gen.DOMAIN) == many(2)
    assert parse_published(mounted(fields)) == Published(7, zone_text(many(2)))


def test_zone_that_no_config_map_can_hold_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_PACKED_BYTES", 1000)
    with pytest.raises(TooLarge, match=r"5000 names need \d+ bytes .* several regions"):
        zone_fields(LONG)


@pytest.mark.parametrize("packed", ["bm90IGd6aXA=", "%%%"])
def test_damage_is_found_by_both(packed: str) -> None:
    fields = {"data": {"serial": "7", "zone": ""}, "binaryData": {names.KEY_ZONE_PACKED: packed}}
    with pytest.raises(InvalidSpec, match="zone"):
        read_zone(fields, gen.DOMAIN)
    assert parse_published(Snapshot("v", fields["data"], {names.KEY_ZONE_PACKED: b"not gzip"})) is None


def test_nothing_is_no_zone() -> None:
    with pytest.raises(InvalidSpec):
        read_zone({}, gen.DOMAIN)
