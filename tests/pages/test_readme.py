"""README, typed from top to bottom."""

import re

import pytest
import requests

from operations.demo.people import PASSWORD
from tests.pages.typist import ROOT, Clone, blocks

pytestmark = pytest.mark.waits

README = (ROOT / "README.md").read_text()


def log_in(base: str, username: str, password: str) -> requests.Response:
    """To the admin."""
    browser = requests.Session()
    browser.get(f"{base}/admin/login/", timeout=30)
    form = {"username": username, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    return browser.post(f"{base}/admin/login/?next=/admin/", data=form, timeout=30)


def test_two_people_talk_and_one_listens(talked: str) -> None:
    assert "event: hello" in talked
    events = re.findall(r'event: message\.created\n.*?"content":"(.*?)"', talked, re.DOTALL)
    assert events == ["Noon?", "Noon it is."]
    assert '"other_user_name":"alice"' in talked


def test_the_superuser_comes_into_the_admin(clone: Clone, talked: str) -> None:
    answer = log_in(f"http://127.0.0.1:{clone.port}", "root", "violet-tractor-42")

    assert answer.status_code == 200
    assert "Log out" in answer.text


def test_the_demo_is_served_beside_it(clone: Clone, talked: str) -> None:
    command = blocks("README.md")[-1]
    assert command.strip().split()[0] in talked.replace("'", ""), "`make demo` says how to serve it"

    clone.serve(clone.adapt(command), clone.second_port)

    answer = log_in(f"http://127.0.0.1:{clone.second_port}", "demo.admin", PASSWORD)
    assert "Log out" in answer.text


def test_its_lines_can_be_typed_again(clone: Clone, talked: str) -> None:
    middle = "\n".join(blocks("README.md")[1:-1])

    # A second superuser of that name is refused, as the question for it would tell.
    again = clone.type(clone.adapt(middle, [("createsuperuser", "check")]))

    assert '"code":"invalid"' in again
    assert "nothing to add" in again


ADDRESSES = set(re.findall(r"<http://localhost:8000(/[^>]*)>", README))


@pytest.mark.parametrize("path", sorted(ADDRESSES))
def test_the_addresses_that_it_names_are_there(clone: Clone, path: str) -> None:
    assert requests.get(f"http://127.0.0.1:{clone.port}{path}", timeout=30).status_code == 200
