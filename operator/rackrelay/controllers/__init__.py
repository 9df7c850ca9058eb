"""Level-triggered controllers: what changed, who deals with it, and everything that follows (docs/architecture.md)."""
