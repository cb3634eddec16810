"""Makes the API's description tell of what every endpoint has in common: errors, headers, auth."""

from drf_spectacular.openapi import AutoSchema


class ProblemAutoSchema(AutoSchema):
    pass
