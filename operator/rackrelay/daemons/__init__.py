"""One record a daemon: all that manifests, the agent, rendering and the definitions need to know of it. Pure data."""
