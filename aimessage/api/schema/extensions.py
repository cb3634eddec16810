"""How a field and the two kinds of authentication are described."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

from aimessage.api.schema.parts import ID, Schema


class BearerScheme(OpenApiAuthenticationExtension):
    """The token that Swagger UI's *Authorize* asks for."""

    target_class = "accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        description = (
            "The `access_token` of `POST /auth/login`, or the `token` of `POST /auth/tokens`, which is good"
            " for the operations whose `x-scope` it was made with."
        )
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}


class IdFieldExtension(OpenApiSerializerFieldExtension):
    target_class = "aimessage.db.fields.IdField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Schema:
        return dict(ID)


class TicketScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.tickets.TicketAuthentication"
    name = "ticket"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {
            "type": "apiKey",
            "in": "query",
            "name": "ticket",
            "description": "What POST /events/ticket answers; good once, for a minute.",
        }
