"""What Prometheus reads of the operator under test."""

from tests.api.operator.rig import REGION_NAME, Rig


def metric(rig: Rig, name: str, **labels: str) -> float | None:
    """The value of one metric of the rig's region; None when there is no such series."""
    of_region = {"region_namespace": rig.namespace, "region": REGION_NAME, **labels}
    line = "".join(f',{key}="{value}"' for key, value in of_region.items()).removeprefix(",")
    found = [t for t in rig.operator.metrics().splitlines() if t.startswith(f"{name}{{{line}}} ")]
    return float(found[0].split()[-1]) if found else None
