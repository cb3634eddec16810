"""gunicorn's access log."""

from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from aimessage.server.clients import read_address


class AccessLogger(Logger):
    """gunicorn's, which gathers for the access log no more than `access_log_format` names.

    gunicorn's own turns every header and every variable of a request into a text, whatever is asked for.
    """

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> dict[str, Any]:
        request_ids = [value for name, value in resp.headers if name == "X-Request-ID"]
        return {
            "h": read_address(environ.get("REMOTE_ADDR", "")) or environ.get("REMOTE_ADDR", "-"),
            "m": environ["REQUEST_METHOD"],
            "U": environ.get("PATH_INFO", "-"),  # none where the request could not be read
            "s": resp.status.split(None, 1)[0] if isinstance(resp.status, str) else resp.status,
            "B": resp.sent,
            "L": f"{request_time.total_seconds():.6f}",
            "{x-request-id}o": request_ids[0] if request_ids else "-",
        }
