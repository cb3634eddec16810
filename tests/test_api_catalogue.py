from tests.api_catalogue import BY_RELATION, CATALOGUE, NAMING_AN_OBJECT
from tests.described import unnamed
from tests.objects import OBJECTS
from tests.routes import api_routes


def test_it_has_every_route_of_the_url_conf_and_no_other() -> None:
    routed = {(method, unnamed(path)) for method, path in api_routes()}
    listed = {(operation.method, unnamed(operation.path)) for operation in CATALOGUE.values()}

    assert routed - listed == set(), "Add a line to TABLE in tests/api_catalogue.py"
    assert listed - routed == set(), "No such route: take its line out of TABLE in tests/api_catalogue.py"


def test_it_says_who_may_do_what_with_every_object_that_a_route_names() -> None:
    routed = {(method, unnamed(path)) for method, path in api_routes() if "<" in path}
    named = {operation.name for operation in NAMING_AN_OBJECT}

    assert named - set(BY_RELATION) == set(), "Add an entry to BY_RELATION in tests/api_catalogue.py"
    assert set(BY_RELATION) - named == set(), "No such operation: take it out of BY_RELATION"
    assert {(operation.method, unnamed(operation.path)) for operation in NAMING_AN_OBJECT} == routed
    assert {operation.kind for operation in NAMING_AN_OBJECT} == set(OBJECTS)
