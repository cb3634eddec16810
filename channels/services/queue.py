"""Deliveries become jobs."""

from channels.models import Delivery


def enqueue(delivery: Delivery) -> None:
    """Has `delivery` sent after what else goes to its address; called in its transaction."""
