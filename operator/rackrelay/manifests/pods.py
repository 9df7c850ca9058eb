"""The StatefulSet of a region and the DaemonSet of its racks."""

from collections.abc import Iterable
from dataclasses import dataclass

from rackrelay import names
from rackrelay.daemons.table import daemons_of
from rackrelay.manifests import containers
from rackrelay.manifests.containers import Context, Image
from rackrelay.manifests.meta import owned, rack_labels, region_labels
from rackrelay.model.meta import Manifest
from rackrelay.model.pods import PodSettings
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.protocol.digest import digest

# How long a stopping rack serves on after its addresses left the zone, besides the TTL of what machines remember.
STOP_MARGIN_S = 5
GRACE_MARGIN_S = 15
# The TTL counts in steps: it is part of the pod template, and most changes of it should not replace every rack.
TTL_STEPS_S = (15, 60, 300)


@dataclass(frozen=True)
class Template:
    """What differs between the two pod templates."""

    region: str
    config: str
    labels: dict[str, str]
    settings: PodSettings
    restart_digest: str


def build_region_workload(region: RegionController, image: Image, restart_digest: str) -> Manifest:
    """The StatefulSet. A change of `restart_digest` (files that daemons read only at start) replaces its pods."""
    labels = region_labels(region.meta.name)
    context = Context(_image(region.pods, image), region.pods)
    template = Template(region.meta.name, names.region_config(region.meta.name), labels, region.pods, restart_digest)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": owned("RegionController", region.meta, names.region_workload(region.meta.name), labels),
        "spec": {
            "replicas": region.replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": _template(template, _region_pod(region, context), {"emptyDir": {}}),
        },
    }


def build_rack_workload(rack: RackController, region: RegionController, image: Image, restart_digest: str) -> Manifest:
    """The DaemonSet. The operator replaces its pods, one rack of a subnet at a time."""
    labels = rack_labels(rack.meta.name)
    context = Context(_image(rack.pods, image), rack.pods, _remembered_s(region) + STOP_MARGIN_S)
    # Not in the selector, which cannot be changed: a RackController may be given another region.
    pod_labels = {**labels, names.LABEL_REGION: region.meta.name}
    template = Template(region.meta.name, names.rack_workload(rack.meta.name), pod_labels, rack.pods, restart_digest)
    state = {"hostPath": {"path": names.DIR_STATE, "type": "DirectoryOrCreate"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": owned("RackController", rack.meta, names.rack_workload(rack.meta.name), labels),
        "spec": {
            "updateStrategy": {"type": "OnDelete"},
            "selector": {"matchLabels": labels},
            "template": _template(template, _rack_pod(region, context), state),
        },
    }


def _region_pod(region: RegionController, context: Context) -> Manifest:
    return {
        "securityContext": {
            **_pod_security(),
            "runAsNonRoot": True,
            # named and Squid's resolver use port 53 inside the pod; `restricted` allows this sysctl.
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "initContainers": [containers.build_agent(context, "status.podIP")],
        "containers": _build_daemons(context, names.COMPONENT_REGION, region),
    }


def _rack_pod(region: RegionController, context: Context) -> Manifest:
    return {
        "securityContext": _pod_security(),
        "hostNetwork": True,
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": _remembered_s(region) + GRACE_MARGIN_S,
        "initContainers": [
            containers.build_prepare(context),
            containers.build_agent(context, "status.hostIP"),
        ],
        "containers": _build_daemons(context, names.COMPONENT_RACK, region),
    }


def _build_daemons(context: Context, component: str, region: RegionController) -> list[Manifest]:
    found = daemons_of(component)
    return [containers.build_daemon(context, daemon, component, region.http_port) for daemon in found]


def _remembered_s(region: RegionController) -> int:
    return next((step for step in TTL_STEPS_S if region.ttl_s <= step), region.ttl_s)


def safe_ttl_s(wanted_s: int, graces_s: Iterable[int]) -> int:
    """The longest TTL, up to the wanted one, for which every rack serves on after it has left the zone.

    `graces_s`: how long each rack pod is given to stop; those made for a shorter TTL have not all been replaced yet.
    """
    return max(1, min((wanted_s, *(grace_s - GRACE_MARGIN_S for grace_s in graces_s))))


def _template(template: Template, pod: Manifest, state: Manifest) -> Manifest:
    settings = template.settings
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "shareProcessNamespace": True,
        "volumes": _volumes(template, state),
        **pod,
        "nodeSelector": dict(settings.node_selector),
        "tolerations": list(settings.tolerations),
        "affinity": dict(settings.affinity),
        "imagePullSecrets": list(settings.image_pull_secrets),
        "priorityClassName": settings.priority_class_name,
    }
    built: Manifest = {
        "metadata": {
            "labels": {**settings.labels, **template.labels},
            "annotations": {**settings.annotations, f"{names.GROUP}/restart": template.restart_digest},
        },
        "spec": {key: value for key, value in spec.items() if value or value is False},
    }
    built["metadata"]["annotations"][names.ANNOTATION_TEMPLATE] = digest(built)
    return built


def template_digest(workload: Manifest) -> str:
    """Which version of its pod template a workload has; its pods carry the same as an annotation."""
    annotations = workload["spec"]["template"]["metadata"]["annotations"]
    return str(annotations[names.ANNOTATION_TEMPLATE])


def _volumes(template: Template, state: Manifest) -> list[Manifest]:
    memory = {"emptyDir": {"medium": "Memory"}}
    secret_mode = 0o440
    return [
        {"name": "config", "configMap": {"name": template.config}},
        {"name": "zone", "configMap": {"name": names.zone_config(template.region), "optional": True}},
        {
            "name": "tsig",
            "secret": {"secretName": names.keys_secret(template.region), "defaultMode": secret_mode},
        },
        {
            "name": "agent-key",
            "secret": {"secretName": names.agent_secret(template.region), "defaultMode": secret_mode},
        },
        {"name": "run", **memory},
        {"name": "tmp", **memory},
        {"name": "state", **state},
    ]


def _pod_security() -> Manifest:
    return {"fsGroup": names.UID, "seccompProfile": {"type": "RuntimeDefault"}}


def _image(settings: PodSettings, image: Image) -> Image:
    return Image(settings.image or image.name, image.pull_policy)
