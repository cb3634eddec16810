"""Masks addresses in logs and mails."""


def mask(address: str) -> str:
    return f"…{address[-4:]}" if len(address) > 6 else "…"
