"""A file that is written is there as a whole or not at all, and what is no file stays what it is."""

import os
import stat
import threading
from pathlib import Path

import pytest

from koshel.files.written import written


def test_it_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"before")
    with written(str(path)) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_are_written_at_once_are_both_whole_and_the_last_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with written(str(path)) as last:
        last.write(b"last")
        with written(str(path)) as first:
            first.write(b"first")
        assert path.read_bytes() == b"first"
        with pytest.raises(KeyboardInterrupt), written(str(path)):
            raise KeyboardInterrupt
        assert path.read_bytes() == b"first"
    assert path.read_bytes() == b"last"
    assert list(tmp_path.iterdir()) == [path]


def test_it_may_be_read_by_whom_any_new_file_may(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    with written(str(tmp_path / "a.csv")) as file:
        file.write(b"a line")
    assert (tmp_path / "a.csv").stat().st_mode == other.stat().st_mode


def test_a_device_is_written_to_and_stays_a_device() -> None:
    with written(os.devnull) as file:
        file.write(b"nothing")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert not [*Path(os.devnull).parent.glob("null.*")]
    with pytest.raises(OSError, match="No space left"), written("/dev/full") as file:
        file.write(b"nothing")


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    with written(str(path)) as file:
        file.write(b"a line")
    reader.join(10)
    assert read == [b"a line"]


@pytest.mark.parametrize("place", ["", "nowhere/a.csv"])
def test_what_cannot_be_written_is_named_as_it_was_asked_for(tmp_path: Path, place: str) -> None:
    path = str(tmp_path / place)
    with pytest.raises(OSError, match=r"\[Errno") as refused, written(path):
        raise AssertionError("nothing is to be written")
    assert refused.value.filename == path
    assert refused.value.filename2 is None
    assert not list(tmp_path.iterdir())
