# ruff: noqa: RUF001  (their letters are meant)
"""Names of the demo's people. The n-th person always has the same name, address and number."""

import unicodedata
from dataclasses import dataclass

#: Demo accounts are those in this domain. RFC 2606 reserves `.example`.
DOMAIN = "demo.example"

# Given names, then family names. Names in other than Latin letters are romanised behind a slash.
_CULTURES = [
    (
        "Mara Jonas Lena Felix Käthe Jürgen Anke Moritz Sören Frieda",
        "Lindner Vogel Schäfer Krüger Brandt Weiß Baumann Hölzl Reuter Möller",
    ),
    (
        "Tunde Amara Chidi Ngozi Ifeoma Emeka Adaeze Segun Folake Zainab",
        "Okafor Adeyemi Balogun Eze Nwosu Ibrahim Lawal Obi Danjuma Ọlátúnjí",
    ),
    (
        "Inés José Lucía Andrés Sofía Íñigo Camila Joaquín Valeria Tomás",
        "Núñez Ibáñez Castaño Ríos Peña Vega Muñoz Salazar Quiroga Zúñiga",
    ),
    (
        "Priya Arjun Meera Rohan Kavya Vikram Ananya Dev Lakshmi Nikhil",
        "Sharma Iyer Banerjee Patel Reddy Nair Kulkarni Chaudhary Menon Bhat",
    ),
    (
        "芳/fang 伟/wei 敏/min 静/jing 磊/lei 洋/yang 丽/li 涛/tao 雪/xue 鹏/peng",
        "王/wang 李/li 张/zhang 刘/liu 陈/chen 杨/yang 赵/zhao 黄/huang 周/zhou 吴/wu",
    ),
    (
        "Zoë Étienne Chloé François Anaïs Rémi Hélène Théo Margaux Loïc",
        "Dubois Lefèvre Gagné Moreau Chénier Perrault Beaulieu Fournier Girard Côté",
    ),
    (
        "Łukasz Zofia Paweł Agnieszka Michał Małgorzata Krzysztof Ewa Bartosz Jagoda",
        "Wójcik Żak Kowalczyk Wróbel Zając Król Pietrzak Wrona Gołąb Sikora",
    ),
    (
        "Ольга/olga Иван/ivan Мария/maria Дмитро/dmytro Анна/anna"
        " Тарас/taras Светлана/svetlana Павел/pavel Надія/nadia Лев/lev",
        "Гончар/honchar Шевчук/shevchuk Мороз/moroz Коваль/koval Бондарь/bondar"
        " Лисенко/lysenko Зима/zyma Ткач/tkach Сокол/sokol Степовик/stepovyk",
    ),
    (
        "Aylin Emre Çağla Ozan İpek Burak Gülşen Kerem Şirin Yiğit",
        "Yılmaz Çelik Öztürk Aydın Koç Güneş Şahin Doğan Kılıç Uçar",
    ),
    (
        "Søren Astrid Bjørn Sigrún Håkon Åsa Þóra Mikkel Ylva Eino",
        "Lindqvist Østergaard Hansen Mäkinen Ångström Sæther Nygård Virtanen Dahl Bjørklund",
    ),
    (
        "يوسف/yusuf ليلى/layla كريم/karim نور/nour سامي/sami"
        " هدى/huda طارق/tariq مريم/maryam عمر/omar رنا/rana",
        "حداد/haddad منصور/mansour خوري/khoury نجار/najjar صالح/saleh"
        " درويش/darwish عزيز/aziz فارس/fares زيدان/zidan بركات/barakat",
    ),
    (
        "Nora Dermot Gwen Callum Imogen Rhys Siobhán Alfie Bethan Oisín",
        "O'Brien Hughes Mac-Leod Whitaker Ashworth Ní-Dhomhnaill Penrose Carver Doyle Llewellyn",
    ),
]
_FAMILY_FIRST = {4}

_PEOPLE = [[names.split() for names in culture] for culture in _CULTURES]

# Letters that Unicode does not decompose into an ASCII letter and an accent.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "ß": "ss", "ı": "i", "æ": "ae", "þ": "th", "đ": "d", "'": "", "-": ""}
)

_BIOS = [
    "Tea first, then talk.",
    "Trains, maps, and trains on maps.",
    "Gärtnerin, Radfahrerin, Frühaufsteherin.",
    "Backend by day, sourdough by night.",
    "Two cats, one sofa, no vacancy.",
    "Looking for a flat with a balcony. Still.",
    "Father of three, referee of all.",
    "I answer in the evening ☕",
    "Nurse on nights - forgive the hours.",
    "Amateur astronomer. It is usually cloudy.",
    "Aquí para hablar de cine y de fútbol.",
    "If it has strings, I will try to play it.",
]

# Numbers that Ofcom and the Bundesnetzagentur reserve for fiction, a thousand each.
_PHONE_BLOCKS = ["+447700900", "+493023125", "+494066969", "+492214710", "+498999998"]


@dataclass(frozen=True)
class Person:
    username: str
    email: str
    full_name: str
    bio: str | None
    phone_number: str | None


def person(number: int) -> Person:
    """The `number`-th person, from 0. Names repeat after 1,200, with a number added."""
    number, culture = divmod(number, len(_PEOPLE))
    given_names, family_names = _PEOPLE[culture]
    lap, name = divmod(number, len(given_names) * len(family_names))
    shift, first = divmod(name, len(given_names))
    given, given_slug = _spell(given_names[first])
    family, family_slug = _spell(family_names[(first + shift) % len(family_names)])
    full_name = f"{family}{given}" if culture in _FAMILY_FIRST else f"{given} {family}"
    slug = f"{given_slug}.{family_slug}" + (str(lap + 1) if lap else "")
    serial = (lap * len(given_names) * len(family_names) + name) * len(_PEOPLE) + culture
    return Person(
        username=_username(serial, slug, full_name),
        email=f"{slug}@{DOMAIN}",
        full_name=full_name,
        bio=_BIOS[serial // 3 * 5 % len(_BIOS)] if serial % 3 == 0 else None,
        phone_number=_phone_number(serial // 3) if serial % 3 == 1 else None,
    )


def given_name(full_name: str) -> str:
    # `Zoë` for `Zoë Dubois`, `芳` for `王芳`
    first, _, rest = full_name.partition(" ")
    return first if rest else full_name[1:] or full_name


def _spell(name: str) -> tuple[str, str]:
    native, _, roman = name.partition("/")
    folded = unicodedata.normalize("NFKD", native.replace("-", " ").lower()).translate(_LETTERS)
    slug = roman or "".join(letter for letter in folded if letter.isascii() and letter.isalpha())
    return native.replace("-", " "), slug


def _username(serial: int, slug: str, full_name: str) -> str:
    native = full_name.lower().replace(" ", "")
    if serial % 11 == 5 and native.isalpha() and slug.isascii() and not slug[-1].isdigit():
        return unicodedata.normalize("NFKC", native)
    if serial % 5 == 3:
        return slug.replace(".", "_")
    if serial % 5 == 4:
        return slug.replace(".", "")
    return slug


def _phone_number(serial: int) -> str | None:
    block, number = serial % len(_PHONE_BLOCKS), serial // len(_PHONE_BLOCKS)
    return f"{_PHONE_BLOCKS[block]}{number:03d}" if number < 1000 else None
