"""Orders the API's description: the same in every process, with what a newcomer needs first."""

from django.conf import settings

from aimessage.api.schema.parts import Schema

METHODS = ["get", "post", "put", "patch", "delete"]


def order_operations(result: Schema, **kwargs: object) -> Schema:
    # Paths by tag, then FIRST_PATHS, then by name. Methods too, because they come out of a set.
    tags = [tag["name"] for tag in settings.SPECTACULAR_SETTINGS["TAGS"]]
    first = settings.FIRST_PATHS

    def place(path: str) -> tuple[int, int, str]:
        tag = next(iter(result["paths"][path].values()))["tags"][0]
        # drf-spectacular makes up a tag if no `openapi.py` has one; tests/test_schema.py refuses that.
        chapter = tags.index(tag) if tag in tags else len(tags)
        return chapter, first.index(path) if path in first else len(first), path

    result["paths"] = {
        path: {method: result["paths"][path][method] for method in METHODS if method in result["paths"][path]}
        for path in sorted(result["paths"], key=place)
    }
    return result
