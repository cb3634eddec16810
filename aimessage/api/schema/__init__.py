"""Makes the API's description tell of what every endpoint has in common: errors, headers, auth.

What is peculiar to an operation stands in its app's `openapi.py`, in a ViewDescription. Where that names an
error status, it gives the reasons that the service raises instead of a serializer: `403: ACCOUNT_DISABLED`,
`400: [TO_YOURSELF, NO_PARENT]`.
"""

from aimessage.api.schema import extensions  # noqa: F401  registers them
from aimessage.api.schema.operations import ProblemAutoSchema

__all__ = ["ProblemAutoSchema"]
