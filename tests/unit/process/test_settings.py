"""The operator's environment."""

import pytest

from rackrelay.errors import InvalidSpec
from rackrelay.process.settings import Settings, parse_settings

NEEDED = {"REGION_NAMESPACES": "machines", "DATAPLANE_IMAGE": "rackrelay/dataplane:1"}


def test_only_two_things_are_needed() -> None:
    assert parse_settings(NEEDED) == Settings("rackrelay/dataplane:1", ("machines",))


def test_everything_may_be_said() -> None:
    more = {
        "REGION_NAMESPACES": " b, a ,,",
        "DATAPLANE_PULL_POLICY": "Always",
        "LOG_LEVEL": "debug",
        "HEALTH_PORT": "8081",
        "METRICS_PORT": "8082",
        "LEASE_NAMESPACE": "rackrelay",
        "LEASE_NAME": "mine",
        "PATH": "/bin",
    }
    assert parse_settings({**NEEDED, **more}) == Settings(
        "rackrelay/dataplane:1", ("a", "b"), "Always", "DEBUG", 8081, 8082, "rackrelay", "mine"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REGION_NAMESPACES", ""),
        ("REGION_NAMESPACES", " , "),
        ("DATAPLANE_IMAGE", ""),
        ("HEALTH_PORT", "http"),
        ("HEALTH_PORT", "0"),
        ("METRICS_PORT", "0"),
        ("METRICS_PORT", "none"),
        ("HEALTH_PORT", "65536"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_what_cannot_work_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_settings({**NEEDED, name: value})
    assert refused.value.field == name
