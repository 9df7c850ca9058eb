"""What Prometheus reads of the operator under test."""

from prometheus_client.parser import text_string_to_metric_families

from tests.api.operator.rig import REGION_NAME, Rig


def metric(rig: Rig, name: str, **labels: str) -> float | None:
    """The value of one metric of the rig's region; None when there is no such series."""
    of_region = {"region_namespace": rig.namespace, "region": REGION_NAME, **labels}
    for family in text_string_to_metric_families(rig.operator.metrics()):
        for sample in family.samples:
            if sample.name == name and sample.labels == of_region:
                return float(sample.value)
    return None
