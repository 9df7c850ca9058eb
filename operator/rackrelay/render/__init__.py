"""Text of the daemons' configuration files, every value quoted by one module."""
