"""Where the end-to-end tests work, besides the example's own namespace."""

FAULTS = "faults"
