"""The digest of a rendered configuration, where its callers look for it."""

from rackrelay.digest import config_digest

__all__ = ["config_digest"]
