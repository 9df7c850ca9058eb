"""How long a change of the zone takes to reach every rack's answers: rackrelay, BIND secondaries, MAAS."""
