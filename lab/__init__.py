"""A real Kubernetes cluster and real machines on one Linux machine, for the demo, tests and benches."""
