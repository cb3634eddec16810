"""What becomes of deliveries."""

from collections.abc import Mapping


def apply_report(fields: Mapping[str, str], *, delivery: str) -> None:
    """Takes Twilio's report on a delivery; `delivery` is the `d` of the address that it called."""
