"""A large change in parts: each fits into a message, follows the one before, and the last one is the wanted version."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackrelay.errors import Conflict
from rackrelay.nameservers.update import sign_update
from rackrelay.zone.parts import serials_needed, split_change
from rackrelay.zone.plan import Zone, plan_change
from rackrelay.zone.rule import Rrsets
from tests import gen

MESSAGE_BYTES = 65535


def many(count: int, last: int = 2, racks: int = 1) -> Rrsets:
    """So many names; `last` is the last number of the first address."""
    nets = [f"10.{i // 256}.{i % 256}" for i in range(count)]
    return {(f"{n.replace('.', '-')}-0--24", "A"): tuple(f"{n}.{last + r}" for r in range(racks)) for n in nets}


def many6(count: int, racks: int) -> Rrsets:
    """So many names as long as names of IPv6 subnets become, with the longest addresses."""
    texts = [f"2001-db8-aaaa-bbbb-cccc-dddd-eeee-{i:x}--112" for i in range(count)]
    return {(t, "AAAA"): tuple(f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{r + 4096:x}" for r in range(racks)) for t in texts}


def zone(serial: int, rrsets: Rrsets) -> Zone:
    return Zone(gen.DOMAIN, 15, serial, rrsets)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({}, many(5000), id="5,000 names come"),
        pytest.param(many(5000), {}, id="5,000 names go"),
        pytest.param(many(5000, last=2), many(5000, last=3), id="5,000 names change"),
        pytest.param({}, many6(1000, racks=5), id="long names and addresses"),
        pytest.param({}, many(50, racks=200), id="many addresses a name"),
        pytest.param(many(3), many(4), id="a small change"),
        pytest.param(many(3), many(3), id="nothing but a serial"),
    ],
)
def test_parts_lead_from_one_version_to_the_other(old: Rrsets, new: Rrsets) -> None:
    wanted = zone(7 + serials_needed(old, new), new)
    parts = split_change(plan_change(zone(7, old), wanted))
    assert parts[0].old == zone(7, old)
    assert parts[-1].new == wanted
    assert all(before.new == after.old for before, after in pairwise(parts))
    assert [p.new.serial for p in parts] == list(range(wanted.serial - len(parts) + 1, wanted.serial + 1))
    assert all(len(sign_update(part, gen.KEY).wire) < MESSAGE_BYTES for part in parts)


def test_part_is_what_a_server_applies_in_a_moment() -> None:
    parts = split_change(plan_change(zone(7, {}), zone(100, many(5000))))
    assert len(parts) > 5
    assert max(len(part.rrsets) for part in parts) < 1500


def test_part_is_built_in_a_moment() -> None:
    part = split_change(plan_change(zone(7, {}), zone(100, many(5000))))[0]
    began = time.process_time()
    sign_update(part, gen.KEY)
    assert time.process_time() - began < 2


def test_ordinary_zones_need_one_serial() -> None:
    assert serials_needed({}, {}) == 1
    assert serials_needed(many(100), many(100, last=9)) == 1


def test_few_serials_make_larger_parts_and_too_few_are_a_conflict() -> None:
    room = len(split_change(plan_change(zone(7, {}), zone(1000, many(5000)))))
    assert len(split_change(plan_change(zone(7, {}), zone(7 + room - 2, many(5000))))) <= room - 2
    with pytest.raises(Conflict, match="only 1 ahead"):
        split_change(plan_change(zone(7, {}), zone(8, many(5000))))


contents = st.builds(many, st.integers(0, 3000), st.integers(2, 9), st.integers(1, 4))


@settings(deadline=None, max_examples=40)
@given(contents, contents)
def test_room_always_suffices(old: Rrsets, new: Rrsets) -> None:
    split_change(plan_change(zone(7, old), zone(7 + serials_needed(old, new), new)))
