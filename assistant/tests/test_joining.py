"""Whatever calls there are, and into whichever pieces a server cuts them, they come out as they were."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.joining import CallJoiner

pytestmark = pytest.mark.once

NAMES = st.sampled_from(["list_my_reports", "find_people", "create_report"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.lists(st.integers(), max_size=3)
)
ARGUMENTS = st.dictionaries(st.text(max_size=10), VALUES, max_size=4)
CALLS = st.lists(st.tuples(NAMES, ARGUMENTS), max_size=5)


def cut(data: st.DataObject, text: str) -> list[str]:
    edges = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    return [text[start:end] for start, end in zip([0, *edges], [*edges, len(text)], strict=True)]


def pieces_of(data: st.DataObject, calls: list[tuple[str, Any]], *, quirk: str) -> list[dict[str, Any]]:
    found = []
    for number, (name, arguments) in enumerate(calls):
        index = {} if quirk == "noindex" else {"index": 0 if quirk.startswith("index0") else number}
        id = {} if quirk.endswith("noid") else {"id": f"call-{number}"}
        empty = data.draw(st.sampled_from([{}, {"id": ""}, {"id": None}]))
        written: list[Any] = cut(data, json.dumps(arguments))
        if quirk == "dict":
            written = [arguments]
        if quirk == "names repeated":
            # A name without arguments would be another call's beginning.
            written = [part for part in written if part]
        begun = False
        for part in written:
            function = {"arguments": part}
            if not begun or quirk == "names repeated":
                function["name"] = name
            has_id = quirk == "ids repeated" or (
                begun if quirk == "late ids" and len(written) > 1 else not begun
            )
            found.append({**index, **(id if has_id else empty), "function": function})
            begun = True
    return found


QUIRKS = [
    *("", "noid", "index0", "index0 noid", "noindex", "dict", "ids repeated", "late ids"),
    "names repeated",
]


@settings(max_examples=200, deadline=None)
@given(st.data(), CALLS, st.sampled_from(QUIRKS))
def test_calls_survive_any_cutting(data: st.DataObject, calls: list[tuple[str, Any]], quirk: str) -> None:
    pieces = pieces_of(data, calls, quirk=quirk)
    joiner = CallJoiner()
    while pieces:
        count = data.draw(st.integers(1, len(pieces)))
        joiner.add(pieces[:count])
        del pieces[:count]

    joined = joiner.calls()
    assert [(call.name, json.loads(call.arguments)) for call in joined] == [(n, dict(a)) for n, a in calls]
    assert len({call.id for call in joined}) == len(calls)
    assert all(call.id for call in joined)


@given(st.lists(st.recursive(VALUES, lambda inner: st.dictionaries(st.text(max_size=9), inner)), max_size=4))
def test_nothing_that_a_server_may_send_breaks_it(pieces: list[Any]) -> None:
    joiner = CallJoiner()
    joiner.add(pieces)
    joiner.add([{"function": piece, "id": piece, "index": piece} for piece in pieces])
    assert all(isinstance(call.arguments, str) for call in joiner.calls())
