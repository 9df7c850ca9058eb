"""The loops that look: probes, agents, what regions hear, LISTs."""
