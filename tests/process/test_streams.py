"""What is printed by whomever goes the way of all lines."""

import os

from koshel.line_writer import LineWriter
from koshel.streams import LineStream


def test_a_stream_passes_whole_lines_on() -> None:
    reader, descriptor = os.pipe()
    writer = LineWriter(descriptor, bytes_max=1_000, lost=lambda count: b"lost %d\n" % count)
    stream = LineStream(writer)
    print("half", end="", file=stream)
    print(" a line\nand \udcff another", file=stream)
    stream.flush()
    writer.flush(timeout_s=60)
    assert os.read(reader, 1_000) == b"half a line\nand \\udcff another\n"
    assert stream.writable()
    assert not stream.isatty()
    assert stream.fileno() == descriptor
    os.close(descriptor)
    os.close(reader)
