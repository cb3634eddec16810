"""The rules for usernames of new accounts. Existing accounts keep names that break them."""

from collections.abc import Iterable
from functools import cache, lru_cache

import regex
from django.conf import settings
from django.core.exceptions import ValidationError

from accounts.lookalikes import looks
from aimessage.db.text import normalize

USERNAME_MAX_LENGTH = 100
#: Longest name that is looked at: NFKC joins at most four characters into one.
SENT_MAX_LENGTH = 400

_CHARACTERS = regex.compile(r"(?:(?!\p{Default_Ignorable_Code_Point})[\p{L}\p{M}\p{Nd}@.+_-])+")

#: UAX #31, table 5: scripts in everyday use by large communities. Each but Cyrillic and Greek may be mixed
#: with Latin.
_RECOMMENDED = """
    Arabic Armenian Bengali Bopomofo Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi Hangul
    Han Hebrew Hiragana Kannada Katakana Khmer Lao Latin Malayalam Myanmar Oriya Sinhala Tamil Telugu
    Thaana Thai Tibetan
""".split()  # noqa: SIM905
#: The other scripts of Unicode 17. A name in one of them has no letters of another script.
_OTHER = """
    Adlam Ahom Anatolian_Hieroglyphs Avestan Balinese Bamum Bassa_Vah Batak Beria_Erfe Bhaiksuki Brahmi
    Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Coptic
    Cuneiform Cypriot Cypro_Minoan Deseret Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic
    Garay Glagolitic Gothic Grantha Gunjala_Gondi Gurung_Khema Hanifi_Rohingya Hanunoo Hatran
    Imperial_Aramaic Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kawi Kayah_Li Kharoshthi
    Khitan_Small_Script Khojki Khudawadi Kirat_Rai Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian
    Mahajani Makasar Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui
    Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Nabataean Nag_Mundari
    Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian
    Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic
    Old_Uyghur Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang
    Runic Samaritan Saurashtra Sharada Shavian Siddham Sidetic SignWriting Sogdian Sora_Sompeng Soyombo
    Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Tai_Yo Takri Tangsa
    Tangut Tifinagh Tirhuta Todhri Tolong_Siki Toto Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi
    Yezidi Yi Zanabazar_Square
""".split()  # noqa: SIM905
#: Scripts that form one writing system (UTS #39, 5.1).
_TOGETHER = [
    ["Han", "Hiragana", "Katakana", "Latin"],
    ["Han", "Bopomofo", "Latin"],
    ["Han", "Hangul", "Latin"],
]
_LOOK_LIKE_LATIN = {"Latin", "Cyrillic", "Greek"}
_WITH_LATIN = [[script, "Latin"] for script in _RECOMMENDED if script not in _LOOK_LIKE_LATIN]

WRONG_CHARACTERS = "A username consists of letters, digits and @ . + - _ only."
MIXED_SCRIPTS = "A username must not mix letters of different scripts."
TOO_LONG = f"Ensure this field has no more than {USERNAME_MAX_LENGTH} characters."
RESERVED = "This username is reserved"


def is_too_long(username: str) -> bool:
    # No account can have it, so callers do not even normalise or look it up.
    return len(username) > SENT_MAX_LENGTH


def normalize_username(username: str) -> str:
    return normalize("NFKC", username)


def validate_username(username: str) -> None:
    """Raises ValidationError if no new account may have the name, which need not be normalised."""
    if is_too_long(username):
        raise ValidationError(TOO_LONG, code="max_length")
    name = normalize_username(username)
    if len(name) > USERNAME_MAX_LENGTH:
        raise ValidationError(TOO_LONG, code="max_length")
    if not _CHARACTERS.fullmatch(name):
        raise ValidationError(WRONG_CHARACTERS, code="invalid")
    if not mixes_well(name):
        raise ValidationError(MIXED_SCRIPTS, code="mixed_scripts")


def validate_not_reserved(username: str) -> None:
    """Raises ValidationError for AI_MESSAGE_RESERVED_NAMES and for names that look like one of them."""
    if not is_too_long(username) and looks(normalize_username(username)) & _reserved(
        tuple(settings.RESERVED_NAMES)
    ):
        raise ValidationError(RESERVED, code="reserved")


@lru_cache(maxsize=8)
def _reserved(names: tuple[str, ...]) -> set[str]:
    return {look for name in names for look in looks(normalize_username(name))}


def mixes_well(name: str) -> bool:
    """Whether the name is *moderately restrictive* (UTS #39, 5.2).

    All letters are of one script or writing system, or Latin mixed with one script of _RECOMMENDED, but not
    with Cyrillic or Greek.
    """
    return name.isascii() or any(pattern.fullmatch(name) for pattern in _patterns())


@cache
def _patterns() -> "list[regex.Pattern[str]]":
    alone = [[script] for script in (*_RECOMMENDED, *_OTHER)]
    return [_written_in(scripts) for scripts in (*alone, *_TOGETHER, *_WITH_LATIN)]


def _written_in(scripts: Iterable[str]) -> "regex.Pattern[str]":
    known = "".join(rf"\p{{Script_Extensions={script}}}" for script in (*scripts, "Common", "Inherited"))
    return regex.compile(f"[{known}]*")
