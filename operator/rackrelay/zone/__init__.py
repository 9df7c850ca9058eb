"""Decisions about the zone, all pure: who is well, which addresses names have, how one version becomes the next."""
