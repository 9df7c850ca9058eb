"""From what is mounted to what the daemons run: filled in, checked by their own checkers, swapped in, signalled."""
