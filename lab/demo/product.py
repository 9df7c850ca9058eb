"""rackrelay on the lab: install the chart, apply the example, know what should come of it."""

from lab.cluster import Lab
from lab.demo.report import DemoError, Report
from lab.paths import REPOSITORY

NAMESPACE = "machines"
OPERATOR_NAMESPACE = "rackrelay"
EXAMPLE = REPOSITORY / "examples/demo"

NAME_A = "10-10-0-0--24.maas-internal"
NAME_A6 = "fd00-10----64.maas-internal"
NAME_B = "10-20-0-0--24.maas-internal"
RACKS_A = ("10.10.0.2", "10.10.0.3")
RACKS_A6 = ("fd00:10::2", "fd00:10::3")
RACKS_B = ("10.20.0.3", "10.20.0.4")

MAX_EVENTS = 25

_VALUES = {
    "image.registry": "localhost",
    "image.operator.tag": "dev",
    "image.dataplane.tag": "dev",
    "nodeSelector.rackrelay\\.dev/role": "region",
}

# The operator's namespace, as README has it made: pods with special rights are refused.
_RESTRICTED = f"""
apiVersion: v1
kind: Namespace
metadata:
  name: {OPERATOR_NAMESPACE}
  labels: {{pod-security.kubernetes.io/enforce: restricted}}
"""


def install(lab: Lab, *more: str) -> None:
    """The chart is installed or upgraded; the operator may still be starting."""
    values = [word for name, value in _VALUES.items() for word in ("--set", f"{name}={value}")]
    chart = str(REPOSITORY / "charts/rackrelay")
    lab.kubectl("apply", "-f", "-", stdin=_RESTRICTED)
    lab.helm("upgrade", "--install", "rackrelay", chart, "-n", OPERATOR_NAMESPACE, *values, *more)


def apply_example(lab: Lab) -> None:
    """The example's resources are in the cluster as they are written, with rack4 not yet a rack."""
    lab.kubectl("label", "node", "rack4", "rackrelay.dev/role-")
    lab.kubectl("apply", "-n", NAMESPACE, "-f", str(EXAMPLE))
    # `apply` leaves alone what a person set by another way before.
    lab.kubectl("patch", "rack", "demo", "-n", NAMESPACE, "--type=merge", "-p", '{"spec":{"drainedNodes":null}}')


def wait_ready(report: Report, patience_s: float = 180) -> None:
    """Everything in the namespace is Ready and every Subnet has its racks.

    Raises:
        DemoError: it is not after a while; the message is what the resources say.
    """
    lab = report.lab

    def ready() -> bool:
        objects = lab.kubectl_json("get", "region,rack,snet", "-n", NAMESPACE)["items"]
        return len(objects) > 0 and all(_condition(o, "Ready") and _condition(o, "RacksHealthy") for o in objects)

    try:
        report.wait("region, racks and subnets are Ready", ready, patience_s)
    except DemoError as error:
        raise DemoError(f"{error}\n{describe_state(lab)}") from error


def describe_state(lab: Lab) -> str:
    """What a person would look at first when something does not come about."""
    state = lab.kubectl("get", "nodes,region,rack,snet,pods", "-n", NAMESPACE, "-o", "wide")
    events = lab.kubectl("get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp").splitlines()[-MAX_EVENTS:]
    return "\n".join([state, *events, *lab.control_plane.complaints()])


def region_pods(lab: Lab) -> list[str]:
    """The region's pods by name."""
    return _pods(lab, "region")


def rack_pods(lab: Lab) -> list[str]:
    """The racks' pods by name."""
    return _pods(lab, "rack")


def _pods(lab: Lab, component: str) -> list[str]:
    labels = f"app.kubernetes.io/component={component}"
    items = lab.kubectl_json("get", "pods", "-n", NAMESPACE, "-l", labels)["items"]
    return sorted(item["metadata"]["name"] for item in items)


def _condition(item: dict[str, object], kind: str) -> bool:
    status = item.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    found = [c["status"] for c in conditions if c["type"] == kind]
    # Regions have no RacksHealthy; what a kind does not have cannot be wrong.
    return found == ["True"] or (not found and kind != "Ready")
