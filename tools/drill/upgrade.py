"""Upgrades the previous release under load: migrates its database, then restarts one instance at a time."""

import subprocess
import time
from pathlib import Path

from tools.drill.claims import claim, section
from tools.drill.load import Load, make_clients
from tools.drill.stand import stand
from tools.drill.unit import ROOT, StandError, manage

PREVIOUS = ROOT / "tools/drill/previous"


def show_upgrade(server: str, folder: Path) -> None:
    section("An upgrade from the previous release under load")
    old = _previous_release(folder)
    with stand(server, "upgrade", old, folder / "upgrade") as ours:
        environment = ours.environment
        manage(old, environment, "load_demo", "--people", "30", "--messages", "3000")
        people = make_clients(ours)
        with Load(ours, people).running() as load:
            load.for_seconds(1)
            start = time.monotonic()
            manage(ROOT, environment, "migrate", "--noinput")
            migrated = time.monotonic()
            load.for_seconds(2)
            beneath = load.answered
            for instance in ours.instances:
                instance.code = ROOT
                instance.restart()
                load.for_seconds(1)
            took = time.monotonic() - start
        load.show_nothing_failed(at_least=beneath + 1)
        claim(
            "the previous release served on the migrated database before the switch",
            load.answered_between(migrated, migrated + 2) > 0,
            f"{load.answered_between(migrated, migrated + 2)} requests in 2 s",
        )
        folders = {instance.running_code() for instance in ours.instances}
        claim("both instances run this code now", folders == {ROOT}, f"{took:.0f} s from migrate to the end")
        load.show_nothing_lost()
        alive = [i.call("GET", "/auth/me", token=people[0].token).status_code for i in ours.instances]
        claim("whoever was logged in still is", alive == [200, 200], alive)


def _previous_release(folder: Path) -> Path:
    """Checks out the commit that the file `previous` names, with a virtual environment."""
    commit = PREVIOUS.read_text().splitlines()[-1].strip()
    code = folder / "previous"
    code.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True)
    if archive.returncode:
        raise StandError(
            f"git has no commit {commit}, the previous release that {PREVIOUS.name} names. A shallow clone"
            f" gets it by: git fetch --depth 1 origin {commit}, or git fetch --unshallow.\n"
            + archive.stderr.decode()
        )
    subprocess.run(["tar", "-x", "-C", str(code)], input=archive.stdout, check=True)
    _give_environment(code)
    return code


def _give_environment(code: Path) -> None:
    # It shares the environment of this release, unless that lacks something or has another version.
    (code / ".venv").symlink_to(ROOT / ".venv")
    if _requirements(code) <= _requirements(ROOT):
        return
    (code / ".venv").unlink()
    subprocess.run(["python3", "-m", "venv", str(code / ".venv")], check=True)
    pip = [str(code / ".venv/bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(code / "requirements.txt")], check=True)


def _requirements(code: Path) -> set[str]:
    lines = (code / "requirements.txt").read_text().splitlines()
    return {line.rstrip(" \\") for line in lines if "==" in line}
