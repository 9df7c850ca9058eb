"""The unpacked data-plane image, for its checkers."""

from tests.dataplane.conftest import image_root

__all__ = ["image_root"]
