"""Backs up the whole database while it is in use, and restores it."""
