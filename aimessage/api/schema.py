"""Makes the API's description tell of what every endpoint has in common: errors, headers, auth.

A view's own decorator says only what is peculiar to it. Where it names an error status, it gives the
sentences instead of a serializer: `403: "User is disabled"`, `400: {"email": "Email already registered"}`.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated

from aimessage.api.lists.pages import MAX_LIMIT
from aimessage.api.problems import (
    CHANGED_MEANWHILE,
    DATABASE_RETRY_AFTER,
    NON_FIELD,
    PROBLEM_TYPE,
    TOO_LONG,
    Errors,
    headline,
    problem,
)
from aimessage.api.viewsets import LenientUpdateMixin

Schema = dict[str, Any]

#: The sentence that an error status usually comes with.
DETAILS = {
    401: ["Not authenticated", "Token is invalid or expired", "Session has ended"],
    404: ["Not found"],
    406: ["Could not satisfy the request Accept header."],
    409: [CHANGED_MEANWHILE],
    413: ["The request body is over 256 KiB"],
    415: ['Unsupported media type "text/plain" in request.'],
    422: ["This Idempotency-Key was used with another payload"],
    429: ["Too many requests, try again in 42 s"],
    500: ["Internal server error"],
    503: ["The database does not answer, try again soon", TOO_LONG],
}

_MEMBERS = {
    "type": {"type": "string", "format": "uri-reference", "example": "about:blank"},
    "title": {"type": "string", "description": "The status in words."},
    "status": {"type": "integer", "minimum": 400, "maximum": 599},
    "detail": {"type": "string", "description": "One sentence for a human."},
}
_ERRORS = {
    "type": "object",
    "description": f"What is wrong, by field; `{NON_FIELD}` for the rest.",
    "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
}
SCHEMAS = {
    "Problem": {
        "type": "object",
        "description": "Any error (RFC 9457).",
        "properties": _MEMBERS,
        "required": list(_MEMBERS),
    },
    "ValidationProblem": {
        "type": "object",
        "description": "A request that breaks a rule.",
        "properties": {**_MEMBERS, "errors": _ERRORS},
        "required": [*_MEMBERS, "errors"],
    },
}
HEADERS = {
    "X-Request-ID": {
        "description": "The caller's own, where it is 1 to 128 of `A-Za-z0-9._-`, else a fresh one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "required": True,
    },
    "WWW-Authenticate": {"schema": {"type": "string", "enum": ["Bearer"]}, "required": True},
    "Retry-After": {
        "description": "Seconds.",
        "schema": {"type": "integer", "minimum": 1, "example": DATABASE_RETRY_AFTER},
        "required": True,
    },
    "Link": {
        "description": "RFC 8288: `next` is the page of older items, `prev` that of newer ones.",
        "schema": {"type": "string"},
        "example": '<https://example.org/messages?limit=100&before=42>; rel="next"',
    },
    "Idempotent-Replayed": {
        "description": "Sent when an earlier request with this Idempotency-Key made the resource.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_STATUS_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
_ID = {"type": "integer", "format": "int64", "minimum": 1}


def order_methods(result: Schema, **kwargs: Any) -> Schema:
    """Puts them in one order; they come out of a set, in another one in every process."""
    for path, operations in result["paths"].items():
        ordered = sorted(operations, key=["get", "post", "put", "patch", "delete"].index)
        result["paths"][path] = {method: operations[method] for method in ordered}
    return result


class BearerScheme(OpenApiAuthenticationExtension):
    """What *Authorize* asks for."""

    target_class = "accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        description = "The `access_token` of `POST /auth/login`."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}


class IdFieldExtension(OpenApiSerializerFieldExtension):
    target_class = "aimessage.db.fields.IdField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Schema:
        return dict(_ID)


def _describe_answer(field: Any, schema: Schema) -> None:
    """What a serializer for input and output says of its input is not always true of its output."""
    for words in ("title", "description"):  # the labels of the admin's forms
        schema.pop(words, None)
    model = getattr(getattr(field.parent, "Meta", None), "model", None)
    columns = {column.attname: column for column in model._meta.concrete_fields} if model else {}
    if field.source in columns:
        schema.pop("nullable", None)
        if columns[field.source].null:
            schema["nullable"] = True


class ProblemAutoSchema(AutoSchema):
    def get_description(self) -> str:
        """Docstrings of views are for whoever reads the code."""
        return "Changes the fields that are sent, and no other." if self._is_lenient() else ""

    def get_auth(self) -> list[Schema]:
        """Nothing, where nobody has to log in."""
        return [scheme for scheme in super().get_auth() if scheme]

    def get_filter_backends(self) -> list[Any]:
        """Names the model that they look for, since get_queryset() would need a user."""
        filterset = getattr(self.view, "filterset_class", None)
        if filterset is None:
            return []
        self.view.queryset = filterset._meta.model.objects.none()
        backends: list[Any] = super().get_filter_backends()
        return backends

    def _get_filter_parameters(self) -> list[Schema]:
        """`?with_user=` is what a form with an empty field sends, and asks for no filter."""
        return [{**one, "allowEmptyValue": True} for one in super()._get_filter_parameters()]

    def _resolve_path_parameters(self, variables: list[str]) -> list[Schema]:
        """Every id in a path is an integer, unless a decorator says otherwise."""
        return [{"in": "path", "name": name, "required": True, "schema": _ID} for name in variables]

    def _is_lenient(self) -> bool:
        if not isinstance(self.view, LenientUpdateMixin):
            return False
        return getattr(self.view, "action", None) in {"update", "partial_update"}

    def _get_request_for_media_type(
        self, serializer: Any, direction: str = "request"
    ) -> tuple[Schema | None, bool]:
        if self._is_lenient():
            serializer = force_instance(serializer)
            serializer.partial = True
        schema, required = super()._get_request_for_media_type(serializer, direction)
        return schema, required

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Schema:
        """An answer has all of its keys, and null where the column is; a partial body needs none."""
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        if not vars(type(force_instance(serializer))).get("__doc__"):
            schema.pop("description", None)  # that of a base class, which is for whoever reads the code
        if direction == "response":
            schema["required"] = list(schema["properties"])
            for name, field in force_instance(serializer).fields.items():
                _describe_answer(field, schema["properties"][name])
        elif getattr(serializer, "partial", False):
            schema.pop("required", None)
        return schema

    def _insert_field_validators(self, field: Any, schema: Schema) -> None:
        super()._insert_field_validators(field, schema)
        # Python's takes every letter there is, the one of JSON Schema those of ASCII.
        if r"\w" in schema.get("pattern", ""):
            del schema["pattern"]

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}List"

    def _get_response_for_code(self, serializer: Any, status_code: str, *args: Any, **kwargs: Any) -> Schema:
        if int(status_code) >= 400:
            return {}  # _get_response_bodies does them
        response: Schema = super()._get_response_for_code(serializer, status_code, *args, **kwargs)
        names = ["X-Request-ID"]
        if self._get_pagination_parameters():
            names.append("Link")
        if status_code == "201" and self._is_idempotent():
            names.append("Idempotent-Replayed")
        response["headers"] = {name: self._component(ResolvedComponent.HEADER, name) for name in names}
        response["description"] = response["description"] or HTTPStatus(int(status_code)).phrase
        return response

    def _get_response_bodies(self, direction: str = "response") -> Schema:
        responses: Schema = super()._get_response_bodies(direction)
        declared = self.get_response_serializers()
        own = declared if isinstance(declared, dict) else {}
        for status in sorted({*self._common_errors(), *(code for code in own if code >= 400)}):
            responses[str(status)] = self._error(status, own.get(status))
        return dict(sorted(responses.items()))

    def _common_errors(self) -> Iterator[int]:
        """The error statuses that follow from what kind of operation this is."""
        yield from (400, 406, 500)
        if IsAuthenticated in self.view.permission_classes:
            yield 401
        if "{" in self.path:
            yield 404
        if self.method != "GET":
            yield 409
        if self.method in {"POST", "PUT", "PATCH"}:
            yield from (413, 415)
        if self._is_idempotent():
            yield 422
        if self.view.get_throttles():
            yield 429
        if isinstance(self.view, GenericAPIView):
            yield 503

    def _is_idempotent(self) -> bool:
        return any(getattr(one, "name", "") == "Idempotency-Key" for one in self.get_override_parameters())

    def _error(self, status: int, own: str | list[str] | dict[str, str] | None) -> Schema:
        """The response for `status`; a component where nothing about it is peculiar."""
        details = DETAILS.get(status, [])
        if status == HTTPStatus.BAD_REQUEST:
            given: dict[str, Any] = own if isinstance(own, dict) else {NON_FIELD: own} if own else {}
            wrong: list[Errors] = [self._invalid(), *({name: [text]} for name, text in given.items())]
            bodies = [problem(status, headline(errors), errors) for errors in wrong]
            return self._error_response(status, bodies)
        if own:
            details = [own] if isinstance(own, str) else list(own)
        elif status == HTTPStatus.NOT_FOUND:
            details = [getattr(self.view, "not_found", details[0])]
        response = self._error_response(status, [problem(status, detail) for detail in details])
        if own or status == HTTPStatus.NOT_FOUND:
            return response
        name = HTTPStatus(status).phrase.replace(" ", "")
        return self._component(ResolvedComponent.RESPONSE, name, response)

    def _error_response(self, status: int, bodies: list[Schema]) -> Schema:
        schema = "ValidationProblem" if "errors" in bodies[0] else "Problem"
        names = ["X-Request-ID", *([_STATUS_HEADERS[status]] if status in _STATUS_HEADERS else [])]
        return {
            "description": HTTPStatus(status).phrase,
            "headers": {name: self._component(ResolvedComponent.HEADER, name) for name in names},
            "content": {
                PROBLEM_TYPE: {
                    "schema": self._component(ResolvedComponent.SCHEMA, schema),
                    "examples": {body["detail"]: {"value": body} for body in bodies},
                }
            },
        }

    def _invalid(self) -> Errors:
        """An example of what could be wrong with a request for this operation."""
        if self._get_request_body():
            fields = force_instance(self.get_request_serializer()).fields.values()
            field = next(field for field in fields if not field.read_only)
            kind = "required" if field.required and not self._is_lenient() else "invalid"
            return {field.field_name: [str(field.error_messages[kind])]}
        if self._get_pagination_parameters():
            return {"limit": [f"A whole number from 1 to {MAX_LIMIT} is required."]}
        return {NON_FIELD: ["NUL characters are not allowed in the query string"]}

    def _component(self, kind: str, name: str, schema: Schema | None = None) -> Schema:
        """A reference to a component, registered where it is not yet."""
        known = HEADERS if kind == ResolvedComponent.HEADER else SCHEMAS
        component = ResolvedComponent(name, kind, schema or known[name], object=name)
        self.registry.register_on_missing(component)
        reference: Schema = component.ref
        return reference
