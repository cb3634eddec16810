"""Checks what both instances share: sessions, throttles and lockouts, through restarts and a kill."""

import json
import re
import ssl
import time
from http.client import HTTPSConnection

from tools.drill.claims import claim, section
from tools.drill.load import Load
from tools.drill.stand import PASSWORD, Person, Stand
from tools.drill.unit import HOST, Answer, Instance, manage

REQUESTS = 3000
ROUNDS = 3
WRONG = "wrong-password-1"


def show_sessions(stand: Stand) -> None:
    section("A session ended on one instance is dead on the other at the next request")
    first, second = stand.instances
    vera = stand.register("vera")
    for where, elsewhere in ((first, second), (second, first)):
        vera = stand.log_in("vera")
        _show_dead(
            "after a logout", where.call("POST", "/auth/logout", token=vera.token), elsewhere, [vera.token]
        )
    devices = [stand.log_in("vera").token for _ in range(2)]
    _show_dead("after logout-all", first.call("POST", "/auth/logout-all", token=devices[0]), second, devices)

    here, there = stand.log_in("vera"), stand.log_in("vera")
    body = {"current_password": PASSWORD, "new_password": "another-tractor-43"}
    changed = second.call("PUT", "/auth/me/password", token=here.token, json=body)
    _show_dead("every other one after a change of the password", changed, first, [there.token])
    alive = [instance.call("GET", "/auth/me", token=here.token).status_code for instance in stand.instances]
    claim("the one that changed it lives on, on both", alive == [200, 200], alive)
    refreshed = first.call("POST", "/auth/refresh", json={"refresh_token": there.refresh_token})
    claim("the refresh token of an ended one is of no use", refreshed.status_code == 401)

    walter = stand.register("walter")
    before = [i.call("GET", "/auth/me", token=walter.token).status_code for i in stand.instances]
    disabled = _disable_in_admin(stand, walter)
    after = [i.call("GET", "/auth/me", token=walter.token).status_code for i in stand.instances]
    claim(
        "a user whom a superuser disables in the admin is out on both",
        (before, disabled, after) == ([200, 200], 302, [401, 401]),
        f"{before}, then {after}",
    )


def _show_dead(when: str, ended: Answer, elsewhere: Instance, tokens: list[str]) -> None:
    statuses = [elsewhere.call("GET", "/auth/me", token=token).status_code for token in tokens]
    claim(when, ended.status_code == 200 and set(statuses) == {401}, f"{ended.status_code}, then {statuses}")


def _disable_in_admin(stand: Stand, person: Person) -> int:
    name = "root"
    manage(
        stand.instances[0].code,
        stand.environment,
        "createsuperuser",
        "--noinput",
        f"--username={name}",
        "--email=root@example.org",
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )
    with stand.session() as browser:
        login = f"{stand.url}/admin/login/?next=/admin/"
        users = f"{stand.url}/admin/accounts/user/"
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": _csrf(browser.get(login))}
        browser.post(login, data=form, headers={"Referer": login}).raise_for_status()
        act = {
            "action": "disable",
            "confirmed": "yes",
            "_selected_action": str(person.id),
            "csrfmiddlewaretoken": _csrf(browser.get(users)),
        }
        return browser.post(users, data=act, headers={"Referer": users}, allow_redirects=False).status_code


def _csrf(page: Answer) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    return found[1] if found else ""


def show_limits(stand: Stand) -> None:
    section("Throttles and lockouts count across both, and a forged address changes nothing")
    stand.register("xaver")
    _show_lockout(stand)
    _show_throttle(stand)
    address = _address_of_a_session(stand, source="127.0.0.2")
    claim("a session knows the real address, here 127.0.0.2", address == "127.0.0.2", address)


def _show_lockout(stand: Stand) -> None:
    first, second = stand.instances
    wrong = {"username": "xaver", "password": WRONG}
    right = {"username": "xaver", "password": PASSWORD}
    guesses = [i.call("POST", "/auth/login", json=wrong).status_code for i in [first, second] * 2 + [first]]
    locked = [i.call("POST", "/auth/login", json=right).status_code for i in stand.instances]
    claim(
        "three wrong passwords on one and two on the other lock the right one out on both",
        (guesses, locked) == ([401] * 5, [429, 429]),
        f"{guesses}, then {locked}",
    )
    elsewhere = second.call("POST", "/auth/login", json=right, address="203.0.113.9").status_code
    claim("not from another address", elsewhere == 200, elsewhere)


def _show_throttle(stand: Stand) -> None:
    address, limit = "203.0.113.77", 30
    tokens = {"refresh_token": "nonsense"}
    calls = [stand.instances[number % 2] for number in range(limit + 4)]
    statuses = [i.call("POST", "/auth/refresh", json=tokens, address=address).status_code for i in calls]
    claim(
        f"of {limit} requests a minute, half on each, the next are refused on both",
        statuses == [401] * limit + [429] * 4,
        f"{statuses.count(401)} let through, {statuses.count(429)} refused",
    )

    statuses = []
    for number in range(limit + 2):
        forged = f"198.51.100.{number}"
        headers = dict.fromkeys(["X-Forwarded-For", "X-Real-IP", "X_Forwarded_For"], forged)
        headers["Forwarded"] = f"for={forged}"
        answer = stand.call("POST", "/auth/refresh", json=tokens, headers=headers)
        statuses.append(answer.status_code)
    claim(
        "through nginx, with another forged X-Forwarded-For each time, as well",
        statuses[-2:] == [429, 429],
        f"{statuses.count(401)} let through, {statuses.count(429)} refused",
    )


def _address_of_a_session(stand: Stand, *, source: str) -> str:
    # The login comes from `source`, and claims another address.
    trusted = ssl.create_default_context(cafile=str(stand.nginx.certificate))
    connection = HTTPSConnection(HOST, stand.nginx.https, context=trusted, source_address=(source, 0))
    body = json.dumps({"username": "xaver", "password": PASSWORD})
    headers = {"Content-Type": "application/json", "X-Forwarded-For": "198.51.100.1"}
    connection.request("POST", "/auth/login", body, headers)
    token = json.load(connection.getresponse())["access_token"]
    connection.close()
    sessions = stand.call("GET", "/auth/sessions", token=token).json()
    return next(session["ip_address"] for session in sessions if session["is_current"])


def show_rolling_restart(stand: Stand, people: list[Person]) -> None:
    section("A rolling restart under load fails no request")
    with Load(stand, people).running() as load:
        load.for_seconds(1)
        start = time.monotonic()
        for _ in range(ROUNDS):
            for instance in stand.instances:
                instance.restart()
        took = time.monotonic() - start
        load.until(lambda: load.answered >= REQUESTS, seconds=150)
    load.show_nothing_failed(REQUESTS)
    during = load.answered_between(start, start + took)
    claim(
        f"both instances were restarted {ROUNDS} times meanwhile, one after the other",
        during > 0,
        f"{during} requests answered in these {took:.0f} s",
    )
    load.show_nothing_lost()


def show_sudden_death(stand: Stand, people: list[Person]) -> None:
    section("One instance is killed under load")
    first, second = stand.instances
    pause = first.unit.seconds("RestartSec")
    with Load(stand, people, persistent=True).running() as load:
        load.for_seconds(1.5)
        killed = time.monotonic()
        first.kill()
        load.for_seconds(pause)
        meanwhile = load.answered_between(killed, time.monotonic())
        first.start()
        load.for_seconds(1.5)
        # Without the port, as if the whole machine had failed.
        second.kill()
        second.close_port()
        gone = time.monotonic()
        load.for_seconds(2)
        alone = load.answered_between(gone, time.monotonic())
        second.open_port()
        second.start()
        load.for_seconds(1)
    claim(
        f"the other serves on in the {pause:.0f} s until systemd starts it again",
        meanwhile > 0,
        f"{meanwhile} requests answered meanwhile",
    )
    claim("and for 2 s after the second is gone with its port", alone > 0, f"{alone} requests answered")
    claim(
        "every client got its answer, by repeating what nobody answered for",
        not load.failures,
        f"{load.answered} answered, {load.repeated} repeated, the longest wait {load.slowest:.1f} s"
        + "".join(f"\n    {failure}" for failure in load.failures[:5]),
    )
    load.show_nothing_lost()
