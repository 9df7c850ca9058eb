"""Admission judges the pods that rackrelay makes: regions need no privilege, racks need the host's network."""

import pytest
from kubernetes.client.exceptions import ApiException

from rackrelay.cluster.client import DAEMON_SET, POD, STATEFUL_SET, Kind
from tests.api.operator.rig import Rig

pytestmark = pytest.mark.api

LABEL = "pod-security.kubernetes.io/enforce"


def create(rig: Rig, kind: Kind, name: str, level: str) -> None:
    """A dry run of a pod as the workload's controller would create it, in a namespace of a level."""
    rig.cluster.server.kubectl("label", "namespace", rig.namespace, f"{LABEL}={level}", "--overwrite")
    template = rig.wait_object(kind, name)["spec"]["template"]
    metadata = {**template["metadata"], "namespace": rig.namespace, "name": "dry-run"}
    rig.cluster.create(POD, {"metadata": metadata, "spec": template["spec"]}, dry_run=True)


def test_levels(rig: Rig) -> None:
    rig.operator.start()
    rig.apply_demo("region.yaml", "rack.yaml")
    create(rig, STATEFUL_SET, "demo-region", "restricted")
    for level in ("restricted", "baseline"):
        with pytest.raises(ApiException, match="violates PodSecurity") as refused:
            create(rig, DAEMON_SET, "demo-rack", level)
        assert "hostNetwork" in str(refused.value)
    create(rig, DAEMON_SET, "demo-rack", "privileged")
