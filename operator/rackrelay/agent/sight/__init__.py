"""What this node sees: its addresses, its daemons, its regions, and the other racks of its subnets."""
