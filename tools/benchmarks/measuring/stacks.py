"""What a sampler saw on the stacks of a server, summed by the parts that it is made of."""

import re
from collections import Counter
from collections.abc import Iterable

#: A line of folded stacks names a frame as `function (file)`, or `function (file:line)`.
FRAME = re.compile(r"^(?P<function>.+) \((?P<file>[^()]+?)(?::\d+)?\)$")
#: By file, the first that fits. Libraries that are named nowhere count as the part that calls them.
PARTS = {
    "logging": r"logging/|aimessage/server/logs\.py|concurrent_log_handler/"
    r"|portalocker/|gunicorn/glogging\.py",
    "JSON": r"orjson/|json/|aimessage/api/renderers\.py",
    "database: psycopg, Django's ORM": r"psycopg|django/db/|aimessage/db/(postgresql|compiled)\b",
    "REST framework": r"rest_framework/",
    "Django: handlers, middleware, URLs": r"django/|whitenoise/|corsheaders/",
    "gunicorn and its worker": r"gunicorn/|gunicorn\.conf\.py|aimessage/server/worker\.py|aimessage/server/",
    "our middleware and metrics": r"aimessage/(api/middleware|server/metrics|db/ids)\b|prometheus_client/",
    "aimessage, the rest": r"aimessage/",
    "the endpoint's own": r"(accounts|messaging|reports)/|(django|bare)_floor\.py",
}
#: Of the access log, which our worker brings along.
LOGGING_FUNCTIONS = {"atoms"}
REST = "the rest"


def part_of(frame: str) -> str | None:
    found = FRAME.match(frame)
    if found is None:
        return None
    if found["function"].rpartition(".")[2] in LOGGING_FUNCTIONS:
        return "logging"
    return next((part for part, files in PARTS.items() if re.match(files, found["file"])), None)


def part_of_stack(stack: str) -> str:
    """Of the innermost frame that belongs to one."""
    return next((part for frame in reversed(stack.split(";")) if (part := part_of(frame))), REST)


def sum_stacks(lines: Iterable[str]) -> dict[str, int]:
    """Samples by part, from lines `outermost;...;innermost count`."""
    samples: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        samples[part_of_stack(stack)] += int(count)
    return dict(samples)
