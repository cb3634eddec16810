"""Where landed migrations look for these names."""

from aimessage.db.fields import FoldedField, FoldedWordsField

__all__ = ["FoldedField", "FoldedWordsField"]
