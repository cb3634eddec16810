"""The bytes of an answer are those that DRF's own renderer writes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer

from aimessage.api.renderers import OrjsonRenderer

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_it_writes_what_drf_writes(value: object) -> None:
    assert OrjsonRenderer().render(value) == JSONRenderer().render(value)


@pytest.mark.parametrize(
    "value",
    [
        "\u2028 and \u2029, \x00 \x1f \x7f \x85, </script> & 'quotes' \"\\\"",
        "😀 日本語 \ufeff \ufffe",
        {"lone": "\ud800"},
        {1: "a key that is no text"},
        ErrorDetail("a text of DRF's", code="invalid"),
        {"lazy": gettext_lazy("Monday")},
        [2**63 - 1, -(2**63), 2**64, 10**30],
        (1, 2),
    ],
)
def test_it_writes_what_is_unusual_as_drf_does(value: object) -> None:
    try:
        expected = JSONRenderer().render(value)
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            OrjsonRenderer().render(value)
    else:
        assert OrjsonRenderer().render(value) == expected


def test_a_client_can_ask_for_indented_json() -> None:
    accept = "application/json; indent=4"

    assert OrjsonRenderer().render([{"a": 1}], accept) == JSONRenderer().render([{"a": 1}], accept)


@pytest.mark.parametrize("beside", [1, 2**80], ids=["orjson", "json"])
@pytest.mark.parametrize("microsecond", [1, 100_000, 678_901])
def test_times_have_microseconds_and_a_z(beside: int, microsecond: int) -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, microsecond, tzinfo=UTC)

    body = OrjsonRenderer().render([time, beside])

    assert body == f'["2026-01-02T03:04:05.{microsecond:06d}Z",{beside}]'.encode()


def test_utc_by_any_name_is_z() -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(0)))

    assert OrjsonRenderer().render(time) == b'"2026-01-02T03:04:05.000006Z"'
