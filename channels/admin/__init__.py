"""Superusers see numbers, addresses and the states of deliveries here, but never the texts."""

from channels.admin import addresses, deliveries, numbers, people  # noqa: F401  registers them
