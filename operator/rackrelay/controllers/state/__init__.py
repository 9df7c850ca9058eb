"""What all controllers share: what is known of the cluster and of racks, and what waits to be done."""
