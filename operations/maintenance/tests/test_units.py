"""The timers in deploy/systemd: systemd understands them, and they run what there is."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from aimessage.jobs.working import GRACE

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
NAMES = ["aimessage-sweep", "aimessage-backup"]


def value(unit: Path, key: str) -> str:
    (found,) = [line for line in unit.read_text().splitlines() if line.startswith(f"{key}=")]
    return found.partition("=")[2]


@pytest.mark.parametrize("name", [*NAMES, "aimessage-jobs"])
def test_it_runs_a_command_that_takes_these_arguments(name: str) -> None:
    python, script, command, *arguments = shlex.split(value(UNITS / f"{name}.service", "ExecStart"))

    assert (python, script) == ("/srv/aimessage/.venv/bin/python", "manage.py")
    parser = load_command_class(get_commands()[command], command).create_parser(script, command)
    parser.parse_args(arguments)


def test_the_worker_for_jobs_is_shut_in_as_the_instances_are() -> None:
    """But that it may write the database, where that is a file."""

    def hardening(name: str) -> set[str]:
        lines = (UNITS / name).read_text().splitlines()
        section = lines[lines.index("NoNewPrivileges=yes") :]
        return {line for line in section if "=" in line and not line.startswith(("#", "WantedBy"))}

    instance, jobs = hardening("aimessage@.service"), hardening("aimessage-jobs.service")
    assert jobs - instance == {"StateDirectory=aimessage"}
    # Which it says before; and it has no connections to hold.
    assert instance - jobs == {"UMask=0077", "LimitNOFILE=65536"}
    assert value(UNITS / "aimessage-jobs.service", "UMask") == "0077"


def test_systemd_leaves_the_worker_for_jobs_time_to_finish() -> None:
    assert float(value(UNITS / "aimessage-jobs.service", "TimeoutStopSec")) > GRACE


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_that_was_off_catches_up(name: str) -> None:
    assert value(UNITS / f"{name}.timer", "Persistent") == "true"
    assert value(UNITS / f"{name}.timer", "RandomizedDelaySec")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("name", [*NAMES, "aimessage-jobs"])
def test_systemd_understands_it(tmp_path: Path, name: str) -> None:
    kinds = [kind for kind in ("timer", "service") if (UNITS / f"{name}.{kind}").exists()]
    for kind in kinds:
        text = (UNITS / f"{name}.{kind}").read_text()
        # The one thing that only the server has.
        (tmp_path / f"{name}.{kind}").write_text(text.replace("/srv/aimessage/.venv/bin/python", "/bin/true"))
    units = [str(tmp_path / f"{name}.{kind}") for kind in kinds]

    verified = subprocess.run(
        [shutil.which("systemd-analyze") or "", "verify", *units], capture_output=True, text=True, timeout=60
    )

    assert verified.returncode == 0, verified.stderr
    # It says nothing of ours; other units of the machine are none of our business.
    assert name not in verified.stderr
