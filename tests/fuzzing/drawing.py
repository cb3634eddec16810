"""Requests drawn from the API's description."""

import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core.parameters import ParameterLocation

from aimessage.wsgi import application

#: Cases per operation and test, and histories of requests; `make fuzz` asks for hundreds.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "16"))


def drawn(*, thoroughly: bool, logged_in: bool) -> Any:
    """Cases drawn from the description; thoroughly: also one for every rule that one could break."""
    config = schemathesis.Config(seed=1)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", application, config=config)
    schema.config.phases.coverage.enabled = thoroughly
    # Whoever is logged in sends a token of his own; what others do to one is for strangers to try.
    schema.config.generation.update(with_security_parameters=not logged_in)
    return schema


def limits(examples: int, **others: Any) -> settings:
    return settings(
        max_examples=examples,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **others,
    )


def is_good(case: schemathesis.Case, part: ParameterLocation) -> bool:
    """Whether this part of the request is meant to fit the description."""
    drawn = case.meta.components.get(part) if case.meta else None
    return drawn is None or not drawn.mode.is_negative


def aim(case: schemathesis.Case, ids: dict[str, int], recipient: int) -> None:
    """Puts ids that exist where any id would do."""
    if case.path in ids and is_good(case, ParameterLocation.PATH):
        case.path_parameters["id"] = ids[case.path]
    if isinstance(case.body, dict) and "recipient_id" in case.body and is_good(case, ParameterLocation.BODY):
        case.body["recipient_id"] = recipient
