"""The texts of the benchmark's messages."""

import re
from itertools import accumulate
from random import Random

#: Words that the searches look for, and the share of messages that hold them.
MARKERS = {"lunch": 0.02, "invoice": 0.002, "rhubarb": 0.00005}
ABSENT = "zeppelinquartz"

COMMON = """I you the to a and it that is of in we me so for do have be not on my are this no with just was
but yes what can at if all know good will time get up like when one go see out your now how did there tomorrow
today ok thanks sure well come back home work call later maybe tonight great café train late meet noon soon
think want need right still really about them here"""
ONSETS = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "br", "st", "tr"]
VOWELS, CODAS = "aeiou", "nrsltm"
ENDS = ["", *CODAS]


def make_texts(rng: Random, count: int) -> list[str]:
    # Mostly a few words, rarely a page; some words are frequent, others rare.
    made = [
        rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) + rng.choice(VOWELS) + rng.choice(ENDS)
        for _ in range(3_000)
    ]
    words = [*re.findall(r"\S+", COMMON), *made]
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    texts = []
    for number in range(count):
        length = max(1, min(int(rng.lognormvariate(1.95, 0.8)), 400))
        chosen = rng.choices(words, cum_weights=weights, k=length)
        for marker, share in MARKERS.items():
            # Evenly spread, so that a small pool holds its share, too.
            if int(number * share) != int((number + 1) * share):
                chosen.insert(rng.randrange(len(chosen) + 1), marker)
        text = " ".join(chosen)
        texts.append(text[0].upper() + text[1:] + rng.choice([".", "?", "!", "", "", ""]))
    return texts
