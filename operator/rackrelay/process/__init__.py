"""The operator as a process: its settings, and what it answers over HTTP."""
