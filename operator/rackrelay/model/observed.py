"""What the operator has seen of pods and nodes: small immutable records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rackrelay import names
from rackrelay.model.pod_problem import find_problem


@dataclass(frozen=True)
class Pod:
    """One pod of ours. `owner` is the name of its RegionController or RackController, `region` that of its region.

    `problem`: what keeps it from running, in words; `crashing`: that is a container that does not stay up.
    `grace_s`: how long it is given to stop, None when that is not known.
    """

    namespace: str
    name: str
    uid: str
    component: str
    owner: str
    node: str = ""
    address: str = ""
    ready: bool = False
    deleting: bool = False
    config: str = ""
    template: str = ""
    problem: str = ""
    crashing: bool = False
    region: str = ""
    grace_s: int | None = None


@dataclass(frozen=True)
class Node:
    """One node of the cluster, without anything that ticks.

    `ready`: the kubelet was heard; a node that lost power stops being ready half a minute later.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    ready: bool = True

    @property
    def drained(self) -> bool:
        """Whether somebody asked, by label, that machines stop using the rack on this node."""
        return self.labels.get(names.LABEL_DRAIN) == "true"

    def matches(self, selector: Mapping[str, str]) -> bool:
        """Whether a node selector selects this node."""
        return all(self.labels.get(key) == value for key, value in selector.items())


def parse_pod(body: Mapping[str, Any]) -> Pod:
    """Pod from a Kubernetes object that carries our labels."""
    metadata, spec, status = body["metadata"], body.get("spec", {}), body.get("status", {})
    labels = metadata.get("labels", {})
    component = labels.get(names.LABEL_COMPONENT, "")
    owner_label = names.LABEL_REGION if component == names.COMPONENT_REGION else names.LABEL_RACK_CONTROLLER
    annotations = metadata.get("annotations", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    problem, crashing = find_problem(status)
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        component=component,
        owner=labels.get(owner_label, ""),
        node=spec.get("nodeName", ""),
        address=status.get("podIP", ""),
        ready=conditions.get("Ready") == "True",
        deleting="deletionTimestamp" in metadata,
        config=annotations.get(names.ANNOTATION_CONFIG, ""),
        template=annotations.get(names.ANNOTATION_TEMPLATE, ""),
        problem=problem,
        crashing=crashing,
        region=labels.get(names.LABEL_REGION, ""),
        grace_s=spec.get("terminationGracePeriodSeconds"),
    )


def parse_node(body: Mapping[str, Any]) -> Node:
    """Node from a Kubernetes object."""
    status = body.get("status", {})
    addresses = status.get("addresses", ())
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    return Node(
        name=body["metadata"]["name"],
        labels=dict(body["metadata"].get("labels", {})),
        addresses=tuple(sorted(a["address"] for a in addresses if a["type"] in ("InternalIP", "ExternalIP"))),
        pod_cidrs=tuple(body.get("spec", {}).get("podCIDRs", ())),
        ready=conditions.get("Ready", "True") == "True",
    )
