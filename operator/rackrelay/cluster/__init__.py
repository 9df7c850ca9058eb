"""The Kubernetes API: what is read, what is written, and who may write."""
