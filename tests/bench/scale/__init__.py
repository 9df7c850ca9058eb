"""A thousand racks on a real API server: Nodes and Pods without kubelets, one process that answers for all racks."""
