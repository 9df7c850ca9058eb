"""What keeps a pod from running and needs a person; ContainerCreating and PodInitializing pass by themselves."""

from collections.abc import Mapping
from typing import Any

_NO_IMAGE = ("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName")
_NO_CONFIG = ("CreateContainerConfigError",)
# These may be one node's own.
_ENDS = ("CreateContainerError", "CrashLoopBackOff", "RunContainerError")
# One restart may be an accident. Who ends again and again runs for moments between, in which nothing is better.
_ACCIDENTS = 1


def find_problem(status: Mapping[str, Any]) -> tuple[str, bool]:
    """What is wrong with a pod, empty when nothing is, and whether it is that a container does not stay up.

    What every pod of the template has, its image and what its containers are made of, is said first.
    """
    waiting = [
        (container, container.get("state", {}).get("waiting", {}).get("reason", ""))
        for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    ]
    for container, reason in waiting:
        if reason in _NO_IMAGE:
            words = f"image {container['image']} cannot be pulled ({reason}); check pods.image and imagePullSecrets"
            return words, False
    for reasons in (_NO_CONFIG, _ENDS):
        for container, reason in waiting:
            if reason in reasons:
                words = f"container {container['name']} does not start ({reason}); see kubectl logs and describe pod"
                return words, reasons is _ENDS
    for container, reason in waiting:
        if not reason and not container.get("ready") and container.get("restartCount", 0) > _ACCIDENTS:
            words = f"container {container['name']} was restarted and is not ready yet; see kubectl logs --previous"
            return words, True
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"cannot be scheduled: {condition.get('message', '')}", False
    return "", False
