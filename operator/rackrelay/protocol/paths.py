"""Paths that one process serves and another asks for."""

# On the agent's port: what a pod says of itself, and what a region replica hears of racks.
STATUS = "/status"
HEARD = "/heard"
# What machines ask for through a rack, and agents to see whether they could.
METADATA = "/MAAS/metadata/"
