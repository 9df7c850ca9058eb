"""The chart on a real API server: installed, upgraded, uninstalled and installed again, with rights that suffice."""

import json
from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from lab.binaries import find_binary
from lab.paths import REPOSITORY
from lab.shell import run
from tests.api.chart.helm import CHART, find, load, render

pytestmark = pytest.mark.api
EXAMPLES = REPOSITORY / "examples" / "demo"
OPERATOR = "system:serviceaccount:rackrelay:rackrelay"


class Release:
    """The release `rackrelay` on one API server."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def helm(self, *arguments: str) -> str:
        """What helm prints. The API server runs no pods, so nothing is waited for."""
        where = ["--kubeconfig", str(self.server.kubeconfig), "--namespace", "rackrelay"]
        return run([find_binary("helm"), *where, *arguments], timeout_s=120).stdout

    def install(self, *arguments: str) -> str:
        return self.helm("install", "rackrelay", str(CHART), "--create-namespace", *arguments)

    def may(self, verb: str, resource: str, namespace: str = "machines") -> bool:
        """Whether the operator has a right; `resource` may name a subresource behind a slash."""
        plural, _, subresource = resource.partition("/")
        question = ["auth", "can-i", verb, plural, f"--subresource={subresource}", "--namespace", namespace]
        who = ["--kubeconfig", str(self.server.kubeconfig), "--as", OPERATOR]
        return run([find_binary("kubectl"), *who, *question], check=False).stdout.strip() == "yes"


@pytest.fixture(scope="module")
def release() -> Iterator[Release]:
    """An API server of its own: what the chart installs must not exist before."""
    with ApiServer() as server:
        release = Release(server)
        release.install()
        yield release


def test_notes_lead_to_a_first_region(release: Release) -> None:
    notes = release.helm("get", "notes", "rackrelay")
    manifest = notes.split("<<EOT\n")[1].split("EOT")[0]
    release.server.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest)


def test_demo_is_accepted_in_the_namespace_that_the_chart_made(release: Release) -> None:
    release.server.kubectl("apply", "--dry-run=server", "-f", str(EXAMPLES))
    level = "{.metadata.labels.pod-security\\.kubernetes\\.io/enforce}"
    assert release.server.kubectl("get", "namespace", "machines", "-o", f"jsonpath={level}") == "privileged"


@pytest.mark.parametrize("values", [(), ("--set", "logLevel=DEBUG")], ids=["nothing changed", "a changed value"])
def test_upgrade(release: Release, values: tuple[str, ...]) -> None:
    release.helm("upgrade", "rackrelay", str(CHART), *values)


@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_pods_pass_in_a_restricted_namespace(release: Release, kind: str) -> None:
    """The operator's pod and the one of `helm test`; admission judges the pods themselves."""
    (found,) = find(load(render()), kind)
    spec = found["spec"] if kind == "Pod" else found["spec"]["template"]["spec"]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": spec["serviceAccountName"]}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "dry-run"}, "spec": spec}
    label = "pod-security.kubernetes.io/enforce=restricted"
    release.server.kubectl("label", "namespace", "rackrelay", label, "--overwrite")
    for manifest, dry_run in ((account, "none"), (pod, "server")):
        release.server.kubectl(
            "-n", "rackrelay", "apply", f"--dry-run={dry_run}", "-f", "-", stdin=json.dumps(manifest)
        )


@pytest.mark.parametrize(
    "right",
    [
        *(f"{verb} {kind}.rackrelay.dev" for verb in ("list", "watch") for kind in ("subnets", "rackcontrollers")),
        "watch regioncontrollers.rackrelay.dev",
        "patch regioncontrollers.rackrelay.dev/status",
        "patch rackcontrollers.rackrelay.dev/status",
        "patch subnets.rackrelay.dev/status",
        *(f"{verb} statefulsets.apps" for verb in ("list", "watch", "create", "patch")),
        *(f"{verb} daemonsets.apps" for verb in ("list", "watch", "create", "patch")),
        *(f"{verb} configmaps" for verb in ("get", "list", "watch", "create", "patch", "delete")),
        *(f"{verb} services" for verb in ("list", "watch", "create", "patch", "delete")),
        *(f"{verb} pods" for verb in ("list", "watch", "patch", "delete")),
        "get secrets",
        "create secrets",
        "patch secrets",
        "list events",
        "create events",
        "list nodes",
        "watch nodes",
    ],
)
def test_operator_may(release: Release, right: str) -> None:
    assert release.may(*right.split())


@pytest.mark.parametrize(
    "right",
    [
        "list secrets",
        "watch secrets",
        "delete secrets",
        "update secrets",
        "delete daemonsets.apps",
        "get subnets.rackrelay.dev",
        "create pods",
        "create pods/exec",
        "create pods/eviction",
        "patch subnets.rackrelay.dev",
        "delete regioncontrollers.rackrelay.dev",
        "patch nodes",
        "create roles.rbac.authorization.k8s.io",
        "patch customresourcedefinitions.apiextensions.k8s.io",
    ],
)
def test_operator_may_not(release: Release, right: str) -> None:
    assert not release.may(*right.split())


@pytest.mark.parametrize("namespace", ["default", "kube-system", "rackrelay"])
def test_operator_has_no_rights_elsewhere(release: Release, namespace: str) -> None:
    assert not release.may("get", "secrets", namespace)
    assert not release.may("create", "daemonsets.apps", namespace)


def test_operator_may_write_one_lease_in_its_own_namespace(release: Release) -> None:
    release.server.kubectl("-n", "rackrelay", "get", "poddisruptionbudget", "rackrelay")
    assert release.may("create", "leases.coordination.k8s.io", "rackrelay")
    for verb in ("list", "update", "patch", "delete"):
        assert not release.may(verb, "leases.coordination.k8s.io", "rackrelay")
    assert not release.may("create", "leases.coordination.k8s.io")


def test_resources_outlive_the_release(release: Release) -> None:
    release.server.kubectl("apply", "-f", str(EXAMPLES))
    before = release.server.kubectl("-n", "machines", "get", "rackrelay", "-o", "name")
    release.helm("uninstall", "rackrelay")
    assert release.server.kubectl("-n", "machines", "get", "rackrelay", "-o", "name") == before
    release.install()
    assert release.server.kubectl("-n", "machines", "get", "rackrelay", "-o", "name") == before
