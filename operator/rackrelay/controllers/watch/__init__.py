"""The loops that look: probes, agents, what regions hear, LISTs, and what becomes of it in judgement."""
