"""The operator's side of the agents' port: signed requests for their status and for what regions hear."""
