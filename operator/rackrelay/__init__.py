"""rackrelay: rack controllers and their region for bare-metal clouds, run by a Kubernetes operator."""
