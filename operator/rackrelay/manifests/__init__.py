"""The Kubernetes objects that a region and its racks consist of, as plain dicts."""
