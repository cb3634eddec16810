"""Django without middleware: /constant answers a constant, /select runs one SELECT by primary key."""

import json

from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

BODY = b'{"message":"Hello World"}'


def constant(request: HttpRequest) -> HttpResponse:
    return HttpResponse(BODY, content_type="application/json")


def select(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, username FROM accounts_user WHERE id = %s", [2])
        row = cursor.fetchone()
    return HttpResponse(json.dumps({"id": row[0], "username": row[1]}), content_type="application/json")


urlpatterns = [path("constant", constant), path("select", select)]
application = get_wsgi_application()
