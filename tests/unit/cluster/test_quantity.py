"""Quantities that mean the same compare equal."""

from typing import Any

import pytest

from rackrelay.cluster.quantity import normalize_quantities


def requests(amount: Any) -> Any:
    return normalize_quantities({"requests": {"cpu": amount}})


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1"), ("1000m", "1"), ("0.5", "500m"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("2e3", "2k"), ("1000k", "1M")],
)
def test_same_amount(one: Any, other: Any) -> None:
    assert requests(one) == requests(other)


@pytest.mark.parametrize(("one", "other"), [("1", "2"), ("1G", "1Gi"), ("1m", "1M"), ("many", "more")])
def test_another_amount(one: Any, other: Any) -> None:
    assert requests(one) != requests(other)


def test_only_requests_and_limits_are_quantities() -> None:
    claims = {"claims": [{"name": "1000m"}], "limits": {"memory": "1Ki"}}
    assert normalize_quantities(claims) == {"claims": [{"name": "1000m"}], "limits": {"memory": 1024}}
    assert normalize_quantities(None) is None
