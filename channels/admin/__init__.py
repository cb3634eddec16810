"""Channels as superusers watch them: numbers, addresses, and how what goes out fares; never the texts."""

from channels.admin import addresses, deliveries, numbers, people  # noqa: F401  registers them
