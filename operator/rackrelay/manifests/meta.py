"""Metadata that every object of ours carries."""

from rackrelay import names
from rackrelay.model.meta import Manifest, Meta


def region_labels(region: str) -> dict[str, str]:
    """Labels of what belongs to a region; pods are selected by all of them."""
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_COMPONENT: names.COMPONENT_REGION,
        names.LABEL_REGION: region,
    }


def rack_labels(rack: str) -> dict[str, str]:
    """Labels of what belongs to a RackController."""
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_COMPONENT: names.COMPONENT_RACK,
        names.LABEL_RACK_CONTROLLER: rack,
    }


def owned(kind: str, owner: Meta, name: str, labels: dict[str, str]) -> Manifest:
    """metadata of an object that goes when its RegionController or RackController goes."""
    return {
        **unowned(owner.namespace, name, labels),
        "ownerReferences": [
            {
                "apiVersion": names.API_VERSION,
                "kind": kind,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def unowned(namespace: str, name: str, labels: dict[str, str]) -> Manifest:
    """metadata of an object that outlives its owner: keys and the zone, adopted again by name."""
    return {"namespace": namespace, "name": name, "labels": labels}
