"""Descriptions stand beside the views, and change nothing about them."""

import subprocess
import sys
from typing import Any

import pytest
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from aimessage.api.schema.descriptions import ViewDescription
from aimessage.api.system import _schema
from messaging.views.messages import MessageViewSet


class HereView(APIView):
    def get(self, request: Any) -> None: ...


def test_it_describes_a_copy_and_leaves_the_view_alone() -> None:
    class Here(ViewDescription):
        target_class = HereView
        operations = {"get": extend_schema(summary="Look")}

    described: Any = Here(HereView.as_view()).view_replacement()

    assert described.get.kwargs["schema"]
    assert not hasattr(HereView.get, "kwargs")
    _schema()
    assert "schema" not in MessageViewSet.sent.kwargs


def test_a_method_that_the_view_lacks_is_an_error() -> None:
    class Nowhere(ViewDescription):
        target_class = HereView
        operations = {"post": extend_schema(summary="Write")}

    with pytest.raises(AttributeError, match="post"):
        Nowhere(HereView.as_view()).view_replacement()


def test_a_server_loads_none_until_somebody_asks() -> None:
    program = (
        "import sys, django; django.setup()\n"
        "from django.urls import get_resolver\n"
        "from aimessage.api.system import _schema\n"
        "def ours(): return {name for name in sys.modules if name.endswith('.openapi')} - theirs\n"
        "theirs = {'drf_spectacular.openapi', 'rest_framework.schemas.openapi'}\n"
        "get_resolver().url_patterns; assert not ours(), ours()\n"
        "_schema(); assert 'messaging.openapi' in ours()\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_server_that_has_just_started_describes_itself_to_all_who_ask_at_once() -> None:
    program = (
        "import sys, django; django.setup()\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from django.test import Client\n"
        "sys.setswitchinterval(0.00001)\n"
        "client = Client(raise_request_exception=False, HTTP_HOST='localhost')\n"
        "asked = ThreadPoolExecutor(8).map(client.get, ['/openapi.json'] * 8)\n"
        "print([answer.status_code for answer in asked])\n"
    )

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout == f"{[200] * 8}\n", done.stderr
