"""What is written down for newcomers names what there is."""

import re
from pathlib import Path

import pytest

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
    "page", ["README.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    found = re.findall(r"\]\(([^)#]+)", text) + re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)
    targets = [target for target in found if "://" not in target]

    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert missing == []


def test_readme_names_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"make ([a-z][a-z-]*)", (ROOT / "README.md").read_text())) - {"a"}
    assert {"run", "test", "lint", "demo"} <= named
    assert named - targets - {"and"} == set()
