"""A list through which higher rooms (channels, assistant) follow what happens to reports."""

from collections.abc import Callable

from reports.models import Report

#: Called with each report after a moderator changed its status, in the same transaction.
status_followers: list[Callable[[Report], None]] = []
