"""D1 A41: how a message is taken apart."""

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.parts import LIMIT, MORE, to_parts

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"


def test_a_short_message_is_one_part() -> None:
    assert to_parts("Hello", max_parts=4) == ["Hello"]
    assert to_parts("x" * LIMIT, max_parts=4) == ["x" * LIMIT]


def test_4000_characters_with_emoji_are_three_parts_that_cut_no_grapheme() -> None:
    text = (f"abcd{FAMILY} " * 400)[:4000]

    parts = to_parts(text, max_parts=4)

    assert len(parts) == 3
    assert "".join(parts) == text
    whole = regex.findall(r"\X", text)
    assert [grapheme for part in parts for grapheme in regex.findall(r"\X", part)] == whole


def test_what_is_longer_than_all_parts_ends_in_a_hint() -> None:
    parts = to_parts("word " * 4000, max_parts=4)

    assert len(parts) == 4
    assert all(len(part) <= LIMIT for part in parts)
    assert parts[-1].endswith(MORE)
    assert ("word " * 4000).startswith("".join(parts).removesuffix(MORE))


def test_the_most_of_parts_can_be_one() -> None:
    parts = to_parts("x" * 1501, max_parts=1)

    assert parts == ["x" * (LIMIT - len(MORE)) + MORE]


@pytest.mark.parametrize("end", ["\n\n", "\n", ". ", " "])
def test_it_is_cut_behind_a_paragraph_a_line_a_sentence_or_a_word(end: str) -> None:
    text = "x" * 1200 + end + "y" * 1400

    assert to_parts(text, max_parts=4) == ["x" * 1200 + end, "y" * 1400]


def test_a_paragraph_is_a_better_place_than_the_word_behind_it() -> None:
    text = "x" * 1300 + "\n\n" + "y" * 50 + " " + "z" * 1300

    assert to_parts(text, max_parts=4)[0] == "x" * 1300 + "\n\n"


def test_no_part_is_blank() -> None:
    assert to_parts("x" * 100 + " " * 4000 + "y", max_parts=4) == ["x" * 100 + " " * 1400, " " * 1100 + "y"]


def test_a_grapheme_longer_than_a_part_is_cut() -> None:
    text = "e" + "\u0301" * 3000

    parts = to_parts(text, max_parts=4)

    assert "".join(parts) == text
    assert max(map(len, parts)) <= LIMIT


PIECES = [
    "word ",
    "\n",
    "\r\n",
    FAMILY,
    "ä",
    "e\u0301",
    "\u092a\u093f",
    ". ",
    "x" * 400,
    "\U0001f1e9\U0001f1ea",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60), st.integers(1, 30), st.integers(1, 10))
def test_parts_are_in_order_and_whole(pieces: list[str], times: int, max_parts: int) -> None:
    text = ("".join(pieces) * times)[:20_000] + "end"
    parts = to_parts(text, max_parts=max_parts)

    assert 1 <= len(parts) <= max_parts
    assert max(map(len, parts)) <= LIMIT
    cut_off = parts[-1].endswith(MORE)
    assert cut_off == (len(text) > max_parts * LIMIT)
    sent = regex.findall(r"\X", text)
    got = [one for part in parts for one in regex.findall(r"\X", part.removesuffix(MORE))]
    # A part of blanks alone was left out.
    sent, got = ([one for one in some if not one.isspace()] for some in (sent, got))
    assert got == (sent[: len(got)] if cut_off else sent)
