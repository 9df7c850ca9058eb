"""Between racks and regions: heartbeats as both sides see them, whom a region hears, and the zone that a rack pulls."""
