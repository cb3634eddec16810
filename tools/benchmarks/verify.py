"""Checks, before anything is measured, that the application and the peer give the same answers."""

import json
import re
import urllib.error
import urllib.request

from tools.benchmarks.cases import CASES, PEER, PRODUCT, Facts
from tools.benchmarks.load import Request

COMPARED = [
    "me",
    "message",
    "unread",
    "messages",
    "conversations",
    "conversation",
    "reports",
    "send",
    "read",
    "login",
]
#: Fields in which two answers may differ if the request creates something.
FRESH = {"id", "created_at", "updated_at", "access_token", "refresh_token"}
#: Pydantic omits a fraction of zero.
_WHOLE_SECOND = re.compile(r"(\d\d:\d\d:\d\d)\.000000Z$")


class DifferentAnswer(Exception):
    """The two do not do the same work, so comparing their speed means nothing."""


def ask(url: str, request: Request) -> tuple[int, object, str]:
    """Returns status, body, and the path of the link to older items."""
    body = request.body.replace("{n}", "once").encode() or None
    sent = urllib.request.Request(  # noqa: S310  a server of ours
        url + request.path, data=body, method=request.method, headers=request.headers
    )
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer), _older(answer.headers.get("Link", ""))
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace"), ""


def _older(link: str) -> str:
    found = re.search(r'<https?://[^/]+([^>]*)>; rel="next"', link)
    return found[1] if found else ""


def normal(value: object, *, fresh: bool) -> object:
    if isinstance(value, dict):
        return {key: normal(item, fresh=fresh) for key, item in value.items() if not (fresh and key in FRESH)}
    if isinstance(value, list):
        return [normal(item, fresh=fresh) for item in value]
    return _WHOLE_SECOND.sub(r"\1Z", value) if isinstance(value, str) else value


def compare(facts: Facts, product: str, peer: str) -> int:
    """Compares answers in all cases that have both. Returns how many. Raises DifferentAnswer."""
    compared = 0
    for name in COMPARED:
        contenders = CASES[name](facts).contenders
        ours = [one for one in contenders if one.server == PRODUCT]
        theirs = {one.label.replace("peer", "product"): one for one in contenders if one.server == PEER}
        for one in ours:
            if one.label not in theirs:
                continue
            request = one.requests[0]
            answers = [ask(url, request) for url in (product, peer)]
            made = request.method == "POST"
            shown = [(status, normal(body, fresh=made), older) for status, body, older in answers]
            if shown[0] != shown[1] or shown[0][0] >= 300:
                raise DifferentAnswer(
                    f"{request.method} {request.path} is answered in two ways:\n{str(shown[0])[:1500]}\n"
                    f"and by the peer\n{str(shown[1])[:1500]}"
                )
            compared += 1
    return compared
