"""What is written down for newcomers names what there is."""

import re
from pathlib import Path

import pytest

from tests.described import OPERATIONS

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
ROOMS = ("aimessage", "accounts", "messaging", "reports", "channels", "assistant", "operations")
VARIABLE = re.compile(
    r"\b(?:AI_MESSAGE_[A-Z_]*[A-Z]|SECRET_KEY|DATABASE_URL|DEBUG|LITELLM_[A-Z_]+|CHAT_HISTORY_MAX|TWILIO_[A-Z_]+)\b"
)
#: How the code asks for a variable: `read_int("AI_MESSAGE_PORT", …)`, `os.environ["AI_MESSAGE_PORT"]`.
READ = re.compile(r"(?:\bread_\w+\(|\bos\.environ\.get\(|\bos\.environ\[)\s*[\"']([A-Z_]+)[\"']")
#: In docs/settings.md alone: a file cannot say which file it is, and one name of the database is enough.
NOT_IN_THE_EXAMPLE = {
    *("AI_MESSAGE_ENV_FILE", "AI_MESSAGE_DATABASE_URL"),
    # the former backend's, which its own .env has
    *("LITELLM_MODEL", "LITELLM_BASEURL", "LITELLM_API_KEY", "CHAT_HISTORY_MAX"),
    *("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"),
}
#: What the code reads that is no setting.
NO_SETTINGS = {"TEST_DATABASE_URL", "AI_MESSAGE_TWILIO_PACE"}


def variables_read() -> set[str]:
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "tests" not in path.parts]
    sources = [path for path in sources if path.name not in {"testing.py", "linting.py"}]
    found = {
        name for path in [*sources, ROOT / "gunicorn.conf.py"] for name in READ.findall(path.read_text())
    }
    return found - NO_SETTINGS


def settings_told() -> list[str]:
    """The names in the first column of the tables of docs/settings.md."""
    rows = re.findall(r"^\| (`[^|]*`) \|.*$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    return [name for row in rows for name in VARIABLE.findall(row)]


def test_the_page_of_settings_has_every_setting_and_none_besides() -> None:
    read, told = variables_read(), settings_told()

    assert len(read) > 60
    assert sorted(told) == sorted(read - {"AI_MESSAGE_DATABASE_URL"})
    assert "`AI_MESSAGE_DATABASE_URL` works too" in (ROOT / "docs/settings.md").read_text()


def test_no_setting_is_given_a_value_twice() -> None:
    given = re.findall(
        r"^([A-Z][A-Z_]+)(?:: [^=]+)? = ", (ROOT / "aimessage/settings.py").read_text(), re.MULTILINE
    )

    assert len(given) > 60
    assert [name for name in set(given) if given.count(name) > 1] == []


def test_the_example_has_every_setting_once() -> None:
    example = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert sorted(example) == sorted(variables_read() - NOT_IN_THE_EXAMPLE)


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    found = re.findall(r"\]\(([^)#]+)", text) + re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)
    targets = [target for target in found if "://" not in target]

    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert missing == []


def test_readme_reaches_every_page_in_one_step() -> None:
    linked = set(re.findall(r"\]\((docs/[a-z-]+\.md)", (ROOT / "README.md").read_text()))

    assert linked == {f"docs/{path.name}" for path in DOCS}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_targets_of_make_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(
        re.findall(r"`make ([a-z][a-z-]*)|^make ([a-z][a-z-]*)", (ROOT / page).read_text(), re.MULTILINE)
    )
    named_targets = {one or other for one, other in named}
    assert {"run", "test", "lint"} <= named_targets
    assert named_targets - targets == set()


#: What CONTRIBUTING.md has its reader write.
TO_WRITE = {"messaging/tests/test_pin.py"}
#: Modules and pages, and names in the module that was named last.
FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|md|html|toml))`")


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_files_that_newcomers_are_sent_to_exist(page: str) -> None:
    named = set(FILE.findall((ROOT / page).read_text())) - TO_WRITE

    assert len(named) > 8
    assert {name for name in named if not (ROOT / name).exists() and "/" in name} == set()


def test_names_on_the_page_of_the_architecture_are_in_the_code() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "docs/architecture.md").read_text(), flags=re.DOTALL)
    sources = [*ROOT.glob("a*/**/*.py"), *ROOT.glob("[m-r]*/**/*.py"), *ROOT.glob("tests/**/*.py")]
    code = "\n".join(path.read_text() for path in sources if "node_modules" not in path.parts)
    words = set(re.findall(r"\w+", code))

    named = {name for name in re.findall(r"`([A-Za-z_.]+)`", text) if "/" not in name and "." not in name}
    assert len(named) > 30
    assert named - words - {"make", "lint"} == set()


def test_every_operation_is_told_of() -> None:
    """In the changelog or a page: by its path, the end of it, or its id."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS]
    told = "\n".join(page.read_text() for page in pages)

    untold = [name for name, operation in OPERATIONS.items() if not _is_told(name, operation["path"], told)]
    assert untold == [], "No page names it: tell app developers in CHANGELOG.md"


def _is_told(name: str, path: str, told: str) -> bool:
    if name in told or f"`/{path.rpartition('/')[2]}`" in told:
        return True
    pattern = re.sub(r"\{\w+\}", "{}", path)
    return bool(re.search(re.escape(pattern).replace(r"\{\}", r"\{\w+\}") + r"(?![\w/])", told))
