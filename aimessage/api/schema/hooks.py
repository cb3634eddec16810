"""Hooks that run before and after drf-spectacular makes the description, named in SPECTACULAR_SETTINGS."""

from typing import TypeVar

from django.utils.module_loading import autodiscover_modules

from aimessage.api.schema.parts import LATER_ENUM, Schema

Endpoints = TypeVar("Endpoints")


def load_descriptions(endpoints: Endpoints) -> Endpoints:
    # Only the description needs the apps' `openapi` modules, so they are imported only now.
    autodiscover_modules("openapi")
    return endpoints


def inline_codes(result: Schema, **kwargs: object) -> Schema:
    for schema in result["components"]["schemas"].values():
        code = schema.get("properties", {}).get("code", {})
        if LATER_ENUM in code:
            code["enum"] = code.pop(LATER_ENUM)
    return result


def inline_nullable_enums(result: Schema, **kwargs: object) -> Schema:
    # In OpenAPI 3.0 a reference cannot add null to an enum, so the enum is copied to where it may be null.
    schemas = result["components"]["schemas"]
    for schema in schemas.values():
        for member in schema.get("properties", {}).values():
            if not member.get("nullable") or len(member.get("allOf", [])) != 1:
                continue
            shared = schemas[member["allOf"][0]["$ref"].rpartition("/")[2]]
            if "enum" in shared:
                del member["allOf"]
                member.update({**shared, **member, "enum": [*shared["enum"], None]})
    return result
