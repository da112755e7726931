"""What is to be written: nobody waits for it, nothing is lost that is not counted, and no line is torn."""

import os
import resource
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from koshel.line_writer import PIPE_BUF, LineWriter
from tests.support.launch import read_until, unread

# Newer versions of Python warn of a fork beside threads; that it is safe here is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

BYTES_MAX = 10_000
LINE = b"x" * 99 + b"\n"


def lost(count: int) -> bytes:
    return b"lost %d\n" % count


def writer_to(descriptor: int, bytes_max: int = BYTES_MAX) -> LineWriter:
    return LineWriter(descriptor, bytes_max=bytes_max, lost=lost)


@pytest.fixture
def pipe() -> Iterator[tuple[int, LineWriter]]:
    """The end of a pipe to read, and a writer to the other."""
    reader, descriptor = os.pipe()
    yield reader, writer_to(descriptor)
    os.close(descriptor)
    os.close(reader)


@pytest.fixture
def stuck() -> Iterator[tuple[int, LineWriter]]:
    """The same, of a pipe that is full."""
    with unread() as (reader, descriptor):
        writer = writer_to(descriptor)
        yield reader, writer
        read_until(
            reader, lambda _: not writer._buffer
        )  # else its thread would write to whatever gets that number next


def test_lines_are_written_in_their_order(pipe: tuple[int, LineWriter]) -> None:
    reader, writer = pipe
    lines = [b"%d\n" % number for number in range(500)]
    for line in lines:
        writer.put(line)
    assert read_until(reader, lambda received: received.endswith(lines[-1])) == b"".join(lines)


def test_nobody_waits_for_a_reader_that_does_not_read(stuck: tuple[int, LineWriter]) -> None:
    _, writer = stuck
    began = time.monotonic()
    for _ in range(10_000):
        writer.put(LINE)
    assert time.monotonic() - began < 10


def test_what_is_dropped_is_counted_once_there_is_room(stuck: tuple[int, LineWriter]) -> None:
    reader, writer = stuck
    kept = BYTES_MAX // len(LINE)
    for _ in range(kept + 7):
        writer.put(LINE)
    assert read_until(reader, lambda received: b"lost" in received) == LINE * kept + lost(7)
    writer.put(LINE)
    assert read_until(reader, bool) == LINE


def test_no_line_is_kept_between_those_that_are_dropped(stuck: tuple[int, LineWriter]) -> None:
    reader, writer = stuck
    writer.put(b"y" * (BYTES_MAX - 50) + b"\n")
    writer.put(LINE)
    writer.put(b"short\n")  # there would be room
    received = read_until(reader, lambda received: b"lost" in received)
    assert received.endswith(b"y\n" + lost(2))


def test_a_line_longer_than_the_buffer_is_dropped_and_counted(pipe: tuple[int, LineWriter]) -> None:
    reader, writer = pipe
    writer.put(b"z" * BYTES_MAX + b"\n")
    writer.put(LINE)
    assert read_until(reader, lambda received: received.endswith(LINE)) == lost(1) + LINE


def test_the_end_waits_for_what_is_read_and_not_for_what_is_not(
    pipe: tuple[int, LineWriter], stuck: tuple[int, LineWriter]
) -> None:
    reader, writer = pipe
    for _ in range(50):
        writer.put(LINE)
    writer.flush(timeout_s=60)
    assert os.read(reader, 65_536) == LINE * 50
    _, stuck_writer = stuck
    stuck_writer.put(LINE)
    began = time.monotonic()
    stuck_writer.flush(timeout_s=0.2)
    assert 0.1 < time.monotonic() - began < 30


def test_lines_of_several_processes_do_not_mingle() -> None:
    reader, descriptor = os.pipe()
    lines = [bytes([letter]) * (700 + 300 * (letter % 5)) + b"\n" for letter in b"abcdefgh"]
    assert max(map(len, lines)) < PIPE_BUF
    writers = [LineWriter(os.dup(descriptor), bytes_max=10_000_000, lost=lost) for _ in lines]
    for _ in range(200):
        for writer, line in zip(writers, lines, strict=True):
            writer.put(line)
    total = 200 * sum(map(len, lines))
    received = read_until(reader, lambda received: len(received) == total)
    assert set(received.splitlines(keepends=True)) == set(lines)
    for writer in writers:
        os.close(writer.descriptor)
    os.close(descriptor)
    os.close(reader)


def test_a_line_longer_than_a_pipe_takes_at_once_arrives_whole(pipe: tuple[int, LineWriter]) -> None:
    reader, writer = pipe
    long = b"l" * (2 * PIPE_BUF) + b"\n"
    writer.put(LINE + long)
    assert read_until(reader, lambda received: received.endswith(long)) == LINE + long


def test_a_reader_that_has_gone_harms_nobody() -> None:
    reader, descriptor = os.pipe()
    writer = writer_to(descriptor)
    os.close(reader)
    for _ in range(1_000):
        writer.put(LINE)
    writer.flush(timeout_s=60)
    os.close(descriptor)


def test_a_descriptor_that_somebody_made_non_blocking_is_waited_for() -> None:
    with unread() as (reader, descriptor):
        os.set_blocking(descriptor, False)
        writer = writer_to(descriptor)
        writer.put(LINE)
        assert read_until(reader, bool) == LINE


def test_after_a_fork_each_process_writes_its_own_lines_once(stuck: tuple[int, LineWriter]) -> None:
    reader, writer = stuck
    writer.put(b"before\n")
    child = os.fork()
    if not child:
        writer.put(b"of the child\n")
        writer.flush(timeout_s=60)
        os._exit(0)
    writer.put(b"of the parent\n")
    received = read_until(reader, lambda received: received.count(b"\n") == 3)
    assert sorted(received.splitlines()) == [b"before", b"of the child", b"of the parent"]
    assert os.waitpid(child, 0)[1] == 0


def test_a_fork_while_another_thread_logs_leaves_the_child_free_to_log(pipe: tuple[int, LineWriter]) -> None:
    reader, writer = pipe
    enough = threading.Event()

    def log_on() -> None:
        while not enough.is_set():
            writer.put(b".\n")

    def drain() -> None:
        while os.read(reader, 65_536) and not enough.is_set():
            pass

    threads = [threading.Thread(target=one) for one in (log_on, drain)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        child = os.fork()
        if not child:
            signal.alarm(20)
            writer.put(b"c\n")
            writer.flush(timeout_s=1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    enough.set()
    writer.put(LINE)  # so that the reader wakes
    for thread in threads:
        thread.join()


def test_what_a_full_disk_does_not_take_is_counted(tmp_path: object) -> None:
    child = os.fork()
    if not child:
        os._exit(0 if counts_on_a_full_disk(f"{tmp_path}/log") else 1)
    assert os.waitpid(child, 0)[1] == 0


def counts_on_a_full_disk(path: str) -> bool:
    """In a process of its own, whose files may grow to a kilobyte, for a while."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    writer = writer_to(descriptor)
    for _ in range(15):
        writer.put(LINE)
        writer.flush(timeout_s=60)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    writer.put(LINE)
    writer.flush(timeout_s=60)
    with open(path, "rb") as file:  # noqa: PTH123  the child imports nothing more
        return file.read() == LINE * 11 + lost(5)
