"""Where landed migrations look for these names."""

from aimessage.db.operations import AddIndexConcurrently

__all__ = ["AddIndexConcurrently"]
