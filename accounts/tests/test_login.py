from rest_framework.test import APIClient

from accounts.models import Session, User
from tests.factories import PASSWORD


def test_login_opens_a_session(client: APIClient, alice: User) -> None:
    answer = client.post("/auth/login", {"username": "alice", "password": PASSWORD})

    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "token_type", "user"}
    assert answer.json()["token_type"] == "bearer"
    assert Session.objects.get().user == alice
