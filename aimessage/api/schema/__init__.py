"""Adds what all endpoints have in common to the API's description: errors, headers, authentication.

What is specific to an operation is in its app's `openapi.py`, in a ViewDescription. For an error status that
names, instead of a serializer, the reasons that the service raises: `403: ACCOUNT_DISABLED`,
`400: [TO_YOURSELF, NO_PARENT]`.
"""

from aimessage.api.schema import extensions  # noqa: F401  registers them
from aimessage.api.schema.operations import ProblemAutoSchema

__all__ = ["ProblemAutoSchema"]
