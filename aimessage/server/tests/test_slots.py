"""Slots and the folder in which gunicorn's workers count; test_metrics_server.py has real workers."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimessage.server import slots as workers


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(workers, "PARENTS", (tmp_path,))
    monkeypatch.setenv(workers.FOLDER_VARIABLE, "of-whoever-started-us")
    monkeypatch.setattr(workers, "_slot", "0")
    path = workers.open_folder()
    yield path
    workers.close_folder()


def test_the_folder_is_fresh_and_nobody_elses(opened: Path) -> None:
    assert os.environ[workers.FOLDER_VARIABLE] == str(opened)
    assert stat.S_IMODE(opened.stat().st_mode) == 0o700
    assert [file.name for file in opened.iterdir()] == [workers.LOCK]


def test_the_folder_goes_when_the_server_does(opened: Path) -> None:
    workers.close_folder()

    assert not opened.exists()
    assert workers.folder() is None


def test_what_a_crash_left_is_swept_and_what_lives_is_not(opened: Path) -> None:
    left = opened.parent / f"{workers.PREFIX}crashed"
    left.mkdir()
    (left / "counter_0.db").write_bytes(b"\0")
    (opened.parent / "of-somebody-else").mkdir()

    second = workers.open_folder()

    assert {path.name for path in opened.parent.iterdir()} == {opened.name, second.name, "of-somebody-else"}


def test_what_a_link_leads_to_is_left_alone(opened: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("target")
    (opened.parent / f"{workers.PREFIX}link").symlink_to(target)

    workers.open_folder()

    assert target.exists()


def test_without_memory_to_write_to_it_takes_the_next_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workers, "PARENTS", (tmp_path / "missing", tmp_path))
    monkeypatch.setenv(workers.FOLDER_VARIABLE, "")

    assert workers.open_folder().parent == tmp_path
    workers.close_folder()


@pytest.mark.parametrize(
    ("taken", "slot"), [([], "0"), (["0"], "1"), (["1"], "0"), (["2", "0"], "1"), (["0", "1", "2"], "3")]
)
def test_a_worker_takes_the_lowest_free_slot(opened: Path, taken: list[str], slot: str) -> None:
    assert workers.free_slot(taken) == slot


def test_a_slot_keeps_counts_and_forgets_what_was_true_of_its_worker(opened: Path) -> None:
    workers.enter_slot("1")
    names = ["counter_1.db", "histogram_1.db", "gauge_livesum_1.db", "gauge_livesum_11.db"]
    for name in names:
        (opened / name).touch()
    assert workers.pids_by_slot() == {"1": os.getpid()}

    workers.leave_slot("1")

    assert workers.pids_by_slot() == {}
    left = {file.name for file in opened.iterdir()}
    assert left == {"counter_1.db", "histogram_1.db", "gauge_livesum_11.db", workers.LOCK}


def test_a_process_that_does_not_fork_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(workers.FOLDER_VARIABLE, raising=False)

    assert workers.folder() is None
    assert workers.pids_by_slot() == {workers.current_slot(): os.getpid()}
    workers.enter_slot("0")  # writes nowhere
    workers.leave_slot("0")


def test_a_pid_that_is_not_written_yet_is_left_out(opened: Path) -> None:
    (opened / "0.pid").touch()

    assert workers.pids_by_slot() == {}


def test_the_lock_is_not_handed_on_to_another_program(opened: Path) -> None:
    assert workers._lock is not None
    assert not os.get_inheritable(workers._lock)
