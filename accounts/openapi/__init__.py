"""The OpenAPI descriptions of the views of accounts."""

from accounts.openapi import (  # noqa: F401  each registers its own
    account,
    config,
    exchange,
    leaving,
    preferences,
    recovery,
    second_factor,
    sessions,
    tokens,
)
