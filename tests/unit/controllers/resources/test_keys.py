"""A region's keys: made once, kept from words, and replaced step by step."""

import base64

import pytest

from rackrelay.controllers.resources.keys import KeyPlan, ensure_keys, next_plan
from tests import gen
from tests.unit.controllers.resources.key_site import add_region
from tests.unit.controllers.site import Site

MADE = ["create Secret demo-agent-1", "create Secret demo-tsig-1", "apply Secret demo-keys"]


async def test_keys_are_made_once(site: Site) -> None:
    region = add_region(site)
    await ensure_keys(site, region)
    first = site.region_keys()
    assert site.client.writes == MADE
    assert len(base64.b64decode(first.tsig.secret)) == 32
    assert first.tsig.name == "1.demo.machines.rackrelay"
    site.regions.clear()
    await ensure_keys(site, region)
    assert site.region_keys() == first
    assert site.client.writes == MADE


async def test_keys_are_immutable_and_belong_to_nobody(site: Site) -> None:
    """They outlive the region, so that racks and a region made anew understand each other."""
    await ensure_keys(site, add_region(site))
    for name in ("demo-tsig-1", "demo-agent-1", "demo-keys"):
        secret = site.client.objects[("Secret", gen.NAMESPACE, name)]
        assert secret.get("immutable") is (None if name == "demo-keys" else True)
        assert "ownerReferences" not in secret["metadata"]


async def test_keys_do_not_show_in_words(site: Site) -> None:
    region = add_region(site)
    await ensure_keys(site, region)
    known = site.region_keys()
    for secret in (known.tsig.secret, known.agent.decode()):
        assert secret not in repr(known)
        assert secret not in repr(site)


@pytest.mark.parametrize(
    ("plan", "wanted", "applied", "expected"),
    [
        pytest.param(KeyPlan((1,), 1), 1, True, KeyPlan((1,), 1), id="nothing to do"),
        pytest.param(KeyPlan((1,), 1), 2, False, KeyPlan((1, 2), 1), id="both are accepted first"),
        pytest.param(KeyPlan((1, 2), 1), 2, False, KeyPlan((1, 2), 1), id="a server does not know the new key yet"),
        pytest.param(KeyPlan((1, 2), 1), 2, True, KeyPlan((1, 2), 2), id="then the new one signs"),
        pytest.param(KeyPlan((1, 2), 2), 2, True, KeyPlan((2,), 2), id="then the old one goes"),
        pytest.param(KeyPlan((1, 2), 1), 3, True, KeyPlan((1, 2), 2), id="one rotation after the other"),
        pytest.param(KeyPlan((2,), 2), 9, True, KeyPlan((2, 9), 2), id="numbers may be left out"),
    ],
)
def test_next_plan(plan: KeyPlan, wanted: int, applied: bool, expected: KeyPlan) -> None:
    assert next_plan(plan, wanted, applied) == expected


@pytest.mark.parametrize("wanted", [1, 2, 7])
def test_every_plan_on_the_way_signs_with_a_key_that_the_plan_before_accepted(wanted: int) -> None:
    plan = KeyPlan((1,), 1)
    for _ in range(6):
        after = next_plan(plan, wanted, True)
        assert after.signing in plan.accepted
        assert plan.signing in after.accepted
        plan = after
    assert plan == KeyPlan((wanted,), wanted)
