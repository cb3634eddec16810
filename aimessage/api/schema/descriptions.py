from collections.abc import Callable, Mapping
from typing import ClassVar

from drf_spectacular.drainage import isolate_view_method
from drf_spectacular.extensions import OpenApiViewExtension
from rest_framework.views import APIView


class ViewDescription(OpenApiViewExtension):
    """Describes `target_class` in the API's description, so that views know nothing of OpenAPI.

    drf-spectacular finds it by the class, and describes the `view_replacement` instead. An app's `openapi.py`
    has one for each of its views; `load_descriptions` loads them.
    """

    #: By the name of the view's method, an `extend_schema(…)`.
    operations: ClassVar[Mapping[str, Callable[[Callable[..., object]], object]]]

    def view_replacement(self) -> type[APIView]:
        # extend_schema_view would pass over methods that a path or `mapping` names.
        described: type[APIView] = type(self.target.__name__, (self.target,), {})
        for method, describe in self.operations.items():
            describe(isolate_view_method(described, method))
        return described
