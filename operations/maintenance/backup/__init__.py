"""Backups of the whole database, taken while it is in use, and what brings them back."""
