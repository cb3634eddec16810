"""gunicorn's access log."""

from datetime import timedelta
from wsgiref.types import WSGIEnvironment

from gunicorn.glogging import Logger
from gunicorn.http.message import Request
from gunicorn.http.wsgi import Response

from aimessage.server.clients import read_address


class AccessLogger(Logger):
    """Gathers only what `access_log_format` names; gunicorn's own also formats every header and variable."""

    def atoms(
        self, resp: Response, req: Request, environ: WSGIEnvironment, request_time: timedelta
    ) -> dict[str, object]:
        request_ids = [value for name, value in resp.headers if name == "X-Request-ID"]
        return {
            "h": read_address(environ.get("REMOTE_ADDR", "")) or environ.get("REMOTE_ADDR", "-"),
            "m": environ["REQUEST_METHOD"],
            "U": environ.get("PATH_INFO", "-"),  # missing if the request could not be parsed
            "s": resp.status.split(None, 1)[0] if isinstance(resp.status, str) else resp.status,
            "B": resp.sent,
            "L": f"{request_time.total_seconds():.6f}",
            "{x-request-id}o": request_ids[0] if request_ids else "-",
        }
