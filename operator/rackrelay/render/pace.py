"""What stands in agent.json of racks and of region replicas alike."""

from rackrelay.model.detection import FailureDetection


def detection(wanted: FailureDetection) -> dict[str, int]:
    """How often racks beat and ask each other, and how often in a row somebody may be missed."""
    return {"heartbeatMilliseconds": round(wanted.interval_s * 1000), "heartbeatMisses": wanted.misses}
