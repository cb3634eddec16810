import re

import pytest

FIXTURE = re.compile(r"^@pytest\.fixture\b.*\n(?:@.*\n)*def (\w+)", re.M)


def test_no_fixture_has_the_name_of_one_around_it(request: pytest.FixtureRequest) -> None:
    root = request.config.rootpath
    folders = [root / name for name in request.config.getini("testpaths")]
    files = [root / "conftest.py", *(file for folder in folders for file in folder.rglob("*.py"))]
    fixtures = {file: set(FIXTURE.findall(file.read_text())) for file in files}
    around = {file.parent: names for file, names in fixtures.items() if file.name == "conftest.py"}

    shadowed = {
        f"{file.relative_to(root)}: {name}"
        for file, names in fixtures.items()
        for folder in file.parents
        if around.get(folder) is not names
        for name in names & around.get(folder, set())
    }
    assert len(list(filter(None, fixtures.values()))) > 100
    assert shadowed == set()
