"""The one error that the lab's commands turn into a message and exit code 1."""


class LabError(Exception):
    """Something that the person at the keyboard can act on; the message says what to do."""
