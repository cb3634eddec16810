"""What higher rooms add to reports; imports run channels, assistant -> reports."""

from collections.abc import Callable

from reports.models import Report

#: Called with each report whose status a moderator has changed, in the transaction that changes it.
status_followers: list[Callable[[Report], None]] = []
