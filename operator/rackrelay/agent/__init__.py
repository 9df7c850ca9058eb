"""The agent: runs beside the daemons of every region and rack pod and holds no Kubernetes credentials.

It fills the node's own values into the mounted configuration, checks it with the daemon's own checker, swaps it in,
signals, looks whether the daemon runs it, and reports all that on port 5249.
"""
