from collections.abc import Iterator
from http import HTTPStatus

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance
from rest_framework.generics import GenericAPIView
from rest_framework.serializers import Field

from aimessage.api.lists.pages import MAX_LIMIT, OUT_OF_RANGE
from aimessage.api.problems import (
    NON_FIELD,
    NOT_AN_OBJECT,
    NOT_FOUND,
    NUL_IN_QUERY,
    PROBLEM_TYPE,
    Errors,
    Invalid,
    Reason,
    Unreadable,
    headline,
    problem,
)
from aimessage.api.schema.parts import HEADERS, ID, REASONS, STATUS_HEADERS, Schema, code_of, problem_schema
from aimessage.api.scopes import SCOPE_MISSING, SESSION_REQUIRED, Scope, ScopePermission, scope_of
from aimessage.api.viewsets import WITH_BODY, LenientUpdateMixin


def _describe_answer(field: Field, schema: Schema) -> None:
    # The serializer describes input. Whether output may be null, the column says.
    for words in ("title", "description"):  # the labels of the admin's forms
        schema.pop(words, None)
    model = getattr(getattr(field.parent, "Meta", None), "model", None)
    columns = {column.attname: column for column in model._meta.concrete_fields} if model else {}
    if field.source in columns:
        schema.pop("nullable", None)
        if columns[field.source].null:
            schema["nullable"] = True


class ProblemAutoSchema(AutoSchema):
    def get_operation(self, *args: object, **kwargs: object) -> Schema | None:
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            operation.setdefault("security", [])  # no login needed
            if scope := self._scope():
                # `security` cannot say it: in OpenAPI 3.0 only OAuth has scopes.
                operation["x-scope"] = scope.value
            if (takes := self._what_it_takes()) not in operation["description"]:
                # The view has a description of its own.
                operation["description"] += f" {takes}"
        return operation

    def get_description(self) -> str:
        # Replaces drf-spectacular's, which shows the docstrings of views.
        return " ".join(self._remarks())

    def _remarks(self) -> Iterator[str]:
        yield self._what_it_takes()
        if self._is_lenient():
            yield "Changes the fields that are sent, and no other."
        if self._get_pagination_parameters():
            yield "Answers one page; the `Link` header leads to the others."
        if self._is_idempotent():
            yield "Repeated with the same `Idempotency-Key` it makes nothing new."
        if self.view.get_throttles():
            yield "Requests are counted: too many get a 429."

    def _what_it_takes(self) -> str:
        if not self._is_locked():
            return "Needs no token."
        scope = self._scope()
        return (
            f"Needs an access token, or a personal token with `{scope}`."
            if scope
            else "Needs an access token."
        )

    def get_auth(self) -> list[Schema]:
        # Drops the empty scheme, which would say that logging in is optional.
        return [scheme for scheme in super().get_auth() if scheme]

    def _map_serializer_field(self, field: Field, direction: str, bypass_extensions: bool = False) -> Schema:
        # Without a format, generated clients take ids and counts for 32-bit integers.
        schema: Schema = super()._map_serializer_field(field, direction, bypass_extensions)
        return {"format": "int64", **schema} if schema.get("type") == "integer" else schema

    def get_filter_backends(self) -> list[object]:
        # The backends look for the model, and get_queryset() would need a user.
        filterset = getattr(self.view, "filterset_class", None)
        if filterset is None:
            return []
        self.view.queryset = filterset._meta.model.objects.none()
        backends: list[object] = super().get_filter_backends()
        return backends

    def _get_filter_parameters(self) -> list[Schema]:
        # A form with an empty field sends `?with_user=`, which filters nothing.
        return [{**one, "allowEmptyValue": True} for one in super()._get_filter_parameters()]

    def _resolve_path_parameters(self, variables: list[str]) -> list[Schema]:
        # An `openapi.py` overrides those that are no integers.
        return [{"in": "path", "name": name, "required": True, "schema": ID} for name in variables]

    def _is_lenient(self) -> bool:
        if not isinstance(self.view, LenientUpdateMixin):
            return False
        return getattr(self.view, "action", None) in {"update", "partial_update"}

    def _get_request_for_media_type(
        self, serializer: object, direction: str = "request"
    ) -> tuple[Schema | None, bool]:
        if self._is_lenient():
            partial = force_instance(serializer)
            partial.partial = True
            serializer = partial
        schema, required = super()._get_request_for_media_type(serializer, direction)
        return schema, required

    def _map_basic_serializer(self, serializer: object, direction: str) -> Schema:
        # An answer has all of its keys, a partial body may have any of them.
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        if not vars(type(force_instance(serializer))).get("__doc__"):
            schema.pop("description", None)  # the docstring of a base class
        if direction == "response":
            schema["required"] = list(schema["properties"])
            for name, field in force_instance(serializer).fields.items():
                _describe_answer(field, schema["properties"][name])
        elif getattr(serializer, "partial", False):
            schema.pop("required", None)
        return schema

    def _insert_field_validators(self, field: Field, schema: Schema) -> None:
        super()._insert_field_validators(field, schema)
        # In Python \w is any letter, in JSON Schema an ASCII letter.
        if r"\w" in schema.get("pattern", ""):
            del schema["pattern"]

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}List"

    def _get_response_for_code(
        self, serializer: object, status_code: str, *args: object, **kwargs: object
    ) -> Schema:
        if int(status_code) >= 400:
            return {}  # _get_response_bodies adds the errors
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
        # A tuple is a status with a media type, for an answer other than JSON.
        declared = declared if isinstance(declared, dict) else {}
        own = {code: said for code, said in declared.items() if not isinstance(code, tuple)}
        for status in sorted({*self._common_errors(), *(code for code in own if code >= 400)}):
            responses[str(status)] = self._error(status, own.get(status))
        return dict(sorted(responses.items()))

    def _common_errors(self) -> Iterator[int]:
        yield from (400, 406, 500)
        if self._is_locked():
            yield from (401, 403)
        if "{" in self.path:
            yield 404
        if self.method != "GET":
            yield 409
        if self.method in WITH_BODY:
            yield from (413, 415)
        if self._is_idempotent():
            yield 422
        if self.view.get_throttles():
            yield 429
        if self._is_locked() or isinstance(self.view, GenericAPIView):
            yield 503

    def _is_locked(self) -> bool:
        return ScopePermission in self.view.permission_classes

    def _scope(self) -> Scope | None:
        return scope_of(self.view, self.method) if self._is_locked() else None

    def _is_idempotent(self) -> bool:
        return any(getattr(one, "name", "") == "Idempotency-Key" for one in self.get_override_parameters())

    def _error(self, status: int, own: str | list[str] | None) -> Schema:
        # An inline response where the operation names reasons of its own, else a shared component.
        given = [own] if isinstance(own, str) else own or []
        if status == HTTPStatus.BAD_REQUEST:
            return self._error_response(status, list(self._invalid(given)))
        usual = self._usual(status)
        if status == HTTPStatus.NOT_FOUND and not given:
            given = [getattr(self.view, "not_found", NOT_FOUND)]
        codes = {code_of(reason, status) for reason in given}
        # A 403 may have several sentences for one code.
        others = (
            usual
            if status == HTTPStatus.FORBIDDEN
            else [reason for reason in usual if code_of(reason, status) not in codes]
        )
        reasons = [*given, *(reason for reason in others if reason not in given)]
        bodies = [
            problem(status, reason, code=code_of(reason, status), members=getattr(reason, "members", {}))
            for reason in reasons
        ]
        response = self._error_response(status, bodies)
        if given:
            return response
        name = HTTPStatus(status).phrase.replace(" ", "")
        if status == HTTPStatus.FORBIDDEN:  # its component exists twice: for sessions, for scopes
            name = code_of(reasons[0], status).title().replace("_", "")
        return self._component(ResolvedComponent.RESPONSE, name, response)

    def _usual(self, status: int) -> list[Reason]:
        if status not in set(self._common_errors()):
            return []
        if status == HTTPStatus.FORBIDDEN:
            return [SCOPE_MISSING if self._scope() else SESSION_REQUIRED]
        return REASONS.get(status, [])

    def _error_response(self, status: int, bodies: list[Schema]) -> Schema:
        codes = sorted({body["code"] for body in bodies})
        usual = problem(status, "", errors={}).keys()
        members = {name: body[name] for body in bodies for name in body if name not in usual}
        name, schema = problem_schema(codes, validation="errors" in bodies[0], members=members)
        headers = ["X-Request-ID", *([STATUS_HEADERS[status]] if status in STATUS_HEADERS else [])]
        return {
            "description": HTTPStatus(status).phrase,
            "headers": {header: self._component(ResolvedComponent.HEADER, header) for header in headers},
            "content": {
                PROBLEM_TYPE: {
                    "schema": self._component(ResolvedComponent.SCHEMA, name, schema),
                    "examples": {body["detail"]: {"value": body} for body in bodies},
                }
            },
        }

    def _invalid(self, given: list[str]) -> Iterator[Schema]:
        status = HTTPStatus.BAD_REQUEST
        wrong = self._invalid_value()
        yield problem(status, headline(wrong), errors=wrong)
        for error in map(Invalid, given):
            yield problem(status, error.detail, code=error.code, errors=error.errors)
        if self.method in WITH_BODY:
            broken = Unreadable(NOT_AN_OBJECT)
            yield problem(status, broken.detail, code=broken.code, errors=broken.errors)

    def _invalid_value(self) -> Errors:
        if self._get_request_body():
            fields = force_instance(self.get_request_serializer()).fields.values()
            field = next(field for field in fields if not field.read_only)
            kind = "required" if field.required and not self._is_lenient() else "invalid"
            return {field.field_name: [Reason(field.error_messages[kind], kind)]}
        if self._get_pagination_parameters():
            return {"limit": [Reason(OUT_OF_RANGE.format(low=1, high=MAX_LIMIT), "invalid")]}
        return {NON_FIELD: [NUL_IN_QUERY]}

    def _component(self, kind: str, name: str, schema: Schema | None = None) -> Schema:
        component = ResolvedComponent(name, kind, schema or HEADERS[name], object=name)
        self.registry.register_on_missing(component)
        reference: Schema = component.ref
        return reference
