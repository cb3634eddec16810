"""Begins a run with the modules that wait more than they compute, so that other tests fill that time."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Otherwise they come anywhere, and at the end whoever has one of them left keeps all others waiting.
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)
