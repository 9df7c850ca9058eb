"""`spec.pods`: what users may say about the pods of a region or of racks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rackrelay.model.meta import Manifest
from rackrelay.model.parsing import SpecModel


@dataclass(frozen=True)
class PodSettings:
    """Passed through to pod templates as written; None and empty mean rackrelay's default."""

    image: str | None = None
    image_pull_secrets: tuple[Manifest, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Manifest, ...] = ()
    affinity: Manifest = field(default_factory=dict)
    priority_class_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Manifest] = field(default_factory=dict)


class PodsSpec(SpecModel):
    """`spec.pods` as it is written. The API server judges what stands in pod templates."""

    image: str | None = None
    image_pull_secrets: list[Manifest] = []
    node_selector: dict[str, str] = {}
    tolerations: list[Manifest] = []
    affinity: Manifest = {}
    priority_class_name: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    resources: dict[str, Manifest] = {}

    def settings(self) -> PodSettings:
        """The settings of pods."""
        return PodSettings(
            image=self.image,
            image_pull_secrets=tuple(self.image_pull_secrets),
            node_selector=self.node_selector,
            tolerations=tuple(self.tolerations),
            affinity=self.affinity,
            priority_class_name=self.priority_class_name,
            labels=self.labels,
            annotations=self.annotations,
            resources=self.resources,
        )
