"""The front door: `/`, `/health`, `/db-test`, and the API's own description."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import lru_cache
from threading import Lock

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aimessage.api.problems import Reason, Unavailable
from aimessage.api.viewsets import HTTP_METHODS

NO_DATABASE = Reason("The database does not answer")
#: Two threads that write it at once fail: drf-spectacular loads the classes that it describes as it goes.
_WRITING_SCHEMA = Lock()


class PublicView(APIView):
    http_method_names = HTTP_METHODS
    authentication_classes: list[type[BaseAuthentication]] = []
    permission_classes = [AllowAny]


class HelloView(PublicView):
    def get(self, request: Request) -> Response:
        return Response({"message": "Hello World", "docs": "/docs"})


class HealthView(PublicView):
    def get(self, request: Request) -> Response:
        return Response({"status": "healthy"})


class DatabaseTestView(PublicView):
    def get(self, request: Request) -> Response:
        ping_database(patience=settings.DATABASE_PATIENCE)
        return Response({"status": "database connection working"})


def ping_database(*, patience: float) -> None:
    """Raises Unavailable if the database does not answer within `patience` seconds.

    It asks in a thread, with a connection of its own, because no timeout on our side ends a read from the
    socket of a frozen server.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="db-test")
    try:
        executor.submit(_select_one).result(timeout=patience)
    except (FutureTimeout, DatabaseError) as error:
        raise Unavailable(NO_DATABASE) from error
    finally:
        executor.shutdown(wait=False)


def _select_one() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


class SchemaView(PublicView, SpectacularAPIView):
    """`/openapi.json`, which is written once per process, since that takes a tenth of a second."""

    renderer_classes = [OpenApiJsonRenderer2]

    def get(self, request: Request, *args: object, **kwargs: object) -> HttpResponse:
        prefix = request._request.META.get("SCRIPT_NAME") or ""
        with _WRITING_SCHEMA:
            written = _write_schema(prefix)
        return HttpResponse(written, content_type=OpenApiJsonRenderer2.media_type)


@lru_cache(maxsize=4)
def _write_schema(prefix: str) -> bytes:
    # Without it, a page under a proxy's prefix would send its requests to the wrong path.
    servers = {"servers": [{"url": prefix}]} if prefix else {}
    written: bytes = OpenApiJsonRenderer2().render({**_schema(), **servers}, renderer_context={})
    return written


@lru_cache(maxsize=1)
def _schema() -> dict[str, object]:
    schema: dict[str, object] = SchemaGenerator().get_schema(public=True)
    return schema
