"""Numbers in logs, and wherever not all of a number is needed."""


def mask(address: str) -> str:
    """`…0100`: the last four characters; of a short one, none."""
    return f"…{address[-4:]}" if len(address) > 6 else "…"
