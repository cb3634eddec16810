"""Reading answers: what a problem says, and where `Link` leads."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from rest_framework.test import APIClient

from aimessage.tests.asserts import assert_problem

#: Path segments that are no id, and therefore name nothing.
NO_IDS = ["0", "-1", "99999999999999999999", "abc", "1.0", "1e3", "٣"]
#: JSON values that are no integer; a body with one of them is refused, whatever it might round to.
NO_INTEGERS = ["true", "2.7", "2.0", "1e999", '"2"', "{}", "[2]"]
#: Integers that are no user's, message's or report's id.
UNKNOWN_IDS = [0, -1, 2**63 - 1, 2**63, 99999999999999999999]

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

_LINK = re.compile(r'<(?P<url>[^>]+)>; rel="(?P<rel>\w+)"')


def problem(answer: Any) -> tuple[int, str]:
    """Status and detail of an answer that must be a problem document."""
    body = assert_problem(answer, answer.status_code)
    return body["status"], body["detail"]


def faults(answer: Any) -> set[str]:
    """The fields that a 400 complains about."""
    assert problem(answer)[0] == 400
    return set(answer.json()["errors"])


def links(answer: Any) -> dict[str, str]:
    """`Link` as an object of relation to URL."""
    return {match["rel"]: match["url"] for match in _LINK.finditer(answer.get("Link", ""))}


def pages(
    client: APIClient, url: str, rel: str = "next", meanwhile: Callable[[], Any] = lambda: None
) -> Iterator[list[dict[str, Any]]]:
    """The page at `url` and those that `rel` leads to; `meanwhile` is called before each further one."""
    at: str | None = url
    while at:
        answer = client.get(at)
        assert answer.status_code == 200, answer.json()
        yield answer.json()
        at = links(answer).get(rel)
        meanwhile()
