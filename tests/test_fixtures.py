from pathlib import Path

import pytest


def test_no_fixture_has_the_name_of_one_around_it(request: pytest.FixtureRequest) -> None:
    root = request.config.rootpath
    places: dict[str, set[Path]] = {}
    for name, definitions in request.session._fixturemanager._arg2fixturedefs.items():
        files = {Path(definition.func.__code__.co_filename) for definition in definitions}
        places[name] = {file for file in files if root in file.parents and ".venv" not in file.parts}

    shadowed = {
        f"{name}: {file.relative_to(root)}"
        for name, files in places.items()
        for file in files
        for other in files - {file}
        if other.name == "conftest.py" and other.parent in file.parents
    }
    assert shadowed == set()
