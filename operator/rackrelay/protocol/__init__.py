"""What two processes agree on, writer and reader of each document side by side, and how it is signed."""
