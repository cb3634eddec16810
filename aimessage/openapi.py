"""Describes the operations of no particular app (root, health, database) for /openapi.json."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers

from aimessage.api.pages import ChatView, RootView
from aimessage.api.schema.descriptions import ViewDescription
from aimessage.api.system import NO_DATABASE, DatabaseTestView, HealthView, SchemaView


class RootDescription(ViewDescription):
    target_class = RootView
    operations = {
        "get": extend_schema(
            tags=["system"],
            operation_id="get_root",
            summary="Say hello",
            responses=inline_serializer(
                "Root", {"message": serializers.CharField(), "docs": serializers.CharField()}
            ),
            examples=[OpenApiExample("Hello", value={"message": "Hello World", "docs": "/docs"})],
        ),
    }


class HealthDescription(ViewDescription):
    target_class = HealthView
    operations = {
        "get": extend_schema(
            tags=["system"],
            operation_id="check_health",
            summary="Is the process up? Touches no database",
            responses=inline_serializer("Health", {"status": serializers.CharField()}),
            examples=[OpenApiExample("Up", value={"status": "healthy"})],
        ),
    }


class DatabaseTestDescription(ViewDescription):
    target_class = DatabaseTestView
    operations = {
        "get": extend_schema(
            tags=["system"],
            operation_id="check_database",
            summary="Does the database answer within two seconds?",
            responses={
                200: inline_serializer("DatabaseTest", {"status": serializers.CharField()}),
                503: NO_DATABASE,
            },
            examples=[OpenApiExample("It does", value={"status": "database connection working"})],
        ),
    }


class SchemaDescription(ViewDescription):
    target_class = SchemaView
    operations = {
        "get": extend_schema(
            tags=["system"],
            operation_id="get_openapi",
            summary="This description (OpenAPI 3.0)",
            responses=OpenApiTypes.OBJECT,
            examples=[OpenApiExample("Description", value={"openapi": "3.0.3", "info": {}, "paths": {}})],
        ),
    }


class ChatDescription(ViewDescription):
    target_class = ChatView
    operations = {
        "get": extend_schema(exclude=True),
    }
