"""What the agent sees of its node: daemons, addresses, regions, other racks."""
