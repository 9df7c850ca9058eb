"""What users write, parsed: frozen records of our resources, and of the pods and nodes around them."""
