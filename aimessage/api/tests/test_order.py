from typing import Any

from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from aimessage.api.order import METHODS, order_operations


def test_a_newcomer_finds_first_what_comes_first(client: APIClient) -> None:
    paths = list(client.get("/openapi.json").json()["paths"])

    assert paths[:2] == ["/auth/register", "/auth/login"]
    assert set(settings.FIRST_PATHS) <= set(paths)


def test_tags_keep_together_in_their_order(client: APIClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    tags = [next(iter(operations.values()))["tags"][0] for operations in paths.values()]

    assert list(dict.fromkeys(tags)) == [tag["name"] for tag in settings.SPECTACULAR_SETTINGS["TAGS"]]
    assert tags == sorted(tags, key=list(dict.fromkeys(tags)).index)


def test_the_order_does_not_depend_on_that_of_the_routes() -> None:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    shuffled = {
        path: dict(reversed(operations.items())) for path, operations in reversed(schema["paths"].items())
    }

    again = order_operations({"paths": shuffled})["paths"]

    assert list(again) == list(schema["paths"])
    for path, operations in again.items():
        assert list(operations) == [method for method in METHODS if method in operations], path
