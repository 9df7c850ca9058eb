"""One module for each resource that users write, with what it consists of and what its status says."""
