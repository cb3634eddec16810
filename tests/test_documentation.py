"""What is written down for newcomers names what there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
VARIABLE = re.compile(r"\b(?:AI_MESSAGE_[A-Z_]*[A-Z]|SECRET_KEY|DATABASE_URL|DEBUG)\b")
#: Told in README alone: a file cannot say which file it is, and one name of the database is enough.
NOT_IN_THE_EXAMPLE = {"AI_MESSAGE_ENV_FILE", "AI_MESSAGE_DATABASE_URL"}


def variables_read() -> set[str]:
    sources = [ROOT / "aimessage/settings.py", ROOT / "aimessage/environment.py", ROOT / "gunicorn.conf.py"]
    calls = re.compile(r"(?:read_\w+|env\.str)\(\s*[\"']([A-Z_]+)[\"']")
    return {name for source in sources for name in calls.findall(source.read_text())}


def test_readme_and_example_tell_of_every_variable() -> None:
    read = variables_read()

    assert len(read) > 20
    assert read - set(VARIABLE.findall((ROOT / "README.md").read_text())) == set()
    example = set(VARIABLE.findall((ROOT / ".env.example").read_text()))
    assert read - NOT_IN_THE_EXAMPLE - example == set()
    assert example - read == set(), "the example names a variable that nothing reads"


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]

    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert missing == []


def test_readme_names_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"make ([a-z][a-z-]*)", (ROOT / "README.md").read_text())) - {"a"}
    assert {"run", "test", "lint", "demo"} <= named
    assert named - targets - {"and"} == set()
