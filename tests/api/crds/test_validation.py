"""The API server refuses what cannot work, naming the field, and accepts all the rest."""

import re
from typing import Any

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from lab.paths import REPOSITORY
from tests.api.crds.resources import Resources, build_resource, load_cases, refusal

pytestmark = pytest.mark.api
EXAMPLES = REPOSITORY / "examples"
API_PAGE = REPOSITORY / "docs" / "api.md"


def load_examples() -> list[Any]:
    """Every document of every example, and every YAML block of the documentation of the resources."""
    texts = {path.relative_to(REPOSITORY): path.read_text() for path in sorted(EXAMPLES.rglob("*.yaml"))}
    blocks = re.findall(r"^```yaml\n(.*?)^```", API_PAGE.read_text(), re.DOTALL | re.MULTILINE)
    texts[API_PAGE.relative_to(REPOSITORY)] = "---\n".join(blocks)
    return [
        pytest.param(body, id=f"{path}:{body['kind']} {body['metadata']['name']}")
        for path, text in texts.items()
        for body in yaml.safe_load_all(text)
    ]


@pytest.mark.parametrize(("kind", "case"), load_cases("refused.yaml"))
def test_bad_resource_is_refused_by_the_fields_name(resources: Resources, kind: str, case: dict[str, Any]) -> None:
    with pytest.raises(ApiException) as refused:
        resources.create(build_resource(kind, case), dry_run=True)
    assert refused.value.status in (400, 422)
    message = refusal(refused.value)
    assert case["field"] in message
    assert case["says"] in message


@pytest.mark.parametrize(("kind", "case"), load_cases("accepted.yaml"))
def test_good_resource_is_accepted(resources: Resources, kind: str, case: dict[str, Any]) -> None:
    created = resources.create(build_resource(kind, case), dry_run=True)
    for field, value in case.get("spec", {}).items():
        assert contains(created["spec"][field], value)


@pytest.mark.parametrize("body", load_examples())
def test_example_is_accepted(resources: Resources, body: dict[str, Any]) -> None:
    body["metadata"].pop("namespace")
    resources.create(body, dry_run=True)


def contains(whole: Any, part: Any) -> bool:
    """Whether `part` was kept: equal, but for fields that the API server has filled in."""
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    return bool(whole == part)
