"""`spec.pods`: what users may say about the pods of a region or of racks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rackrelay.model.meta import Manifest


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

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> "PodSettings":
        """PodSettings from the `pods` object of a spec that the API server has validated."""
        return cls(
            image=spec.get("image"),
            image_pull_secrets=tuple(spec.get("imagePullSecrets", ())),
            node_selector=dict(spec.get("nodeSelector", {})),
            tolerations=tuple(spec.get("tolerations", ())),
            affinity=dict(spec.get("affinity", {})),
            priority_class_name=spec.get("priorityClassName"),
            labels=dict(spec.get("labels", {})),
            annotations=dict(spec.get("annotations", {})),
            resources=dict(spec.get("resources", {})),
        )
