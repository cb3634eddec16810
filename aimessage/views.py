"""The front door: `/`, `/health`, `/db-test`, and the API's own description."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.utils import extend_schema, inline_serializer
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aimessage.problems import Unavailable


class PublicView(APIView):
    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]


class RootView(PublicView):
    @extend_schema(
        tags=["system"],
        operation_id="root",
        summary="Say hello",
        responses=inline_serializer(
            "Root", {"message": serializers.CharField(), "docs": serializers.CharField()}
        ),
    )
    def get(self, request: Request) -> Response:
        return Response({"message": "Hello World", "docs": "/docs"})


class HealthView(PublicView):
    @extend_schema(
        tags=["system"],
        operation_id="health",
        summary="Is the process up? Touches no database",
        responses=inline_serializer("Health", {"status": serializers.CharField()}),
    )
    def get(self, request: Request) -> Response:
        return Response({"status": "healthy"})


class DatabaseTestView(PublicView):
    @extend_schema(
        tags=["system"],
        operation_id="db_test",
        summary="Does the database answer within two seconds?",
        responses=inline_serializer("DatabaseTest", {"status": serializers.CharField()}),
    )
    def get(self, request: Request) -> Response:
        ping_database(patience=settings.DATABASE_PATIENCE)
        return Response({"status": "database connection working"})


def ping_database(*, patience: float) -> None:
    """Asks the database for a constant; raises Unavailable after `patience` seconds.

    In a thread with a connection of its own, since nothing on this side of a frozen server's socket
    would end the wait.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="db-test")
    try:
        executor.submit(_select_one).result(timeout=patience)
    except (FutureTimeout, DatabaseError) as error:
        raise Unavailable("The database does not answer") from error
    finally:
        executor.shutdown(wait=False)


def _select_one() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


class SchemaView(SpectacularAPIView):
    """`/openapi.json`; the document is made once per process."""

    renderer_classes = [OpenApiJsonRenderer2]

    def _get_schema_response(self, request: Request) -> Response:
        return Response(_schema())


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return schema
