"""`traceparent`, as the W3C has it: read as OpenTelemetry reads it, and what is not valid is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from koshel.telemetry.traceparent import SAMPLED, Parent, parse, trace_id_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01"

INVALID = {
    "nothing": "",
    "no fields": "-",
    "too short": VALID[:-1],
    "too long": f"{VALID}0",
    "more than version 00 has": f"{VALID}-more",
    "a dash at the end": f"{VALID}-",
    "no version": VALID[2:],
    "a version that is forbidden": f"ff{VALID[2:]}",
    "a version of one digit": VALID[1:],
    "a version that is not hexadecimal": f"0g{VALID[2:]}",
    "capitals": VALID.upper(),
    "a capital in the version": f"0A{VALID[2:]}",
    "a trace of zeros": f"00-{'0' * 32}-{SPAN}-01",
    "a span of zeros": f"00-{TRACE}-{'0' * 16}-01",
    "a short trace": f"00-{TRACE[1:]}-{SPAN}-01",
    "a long span": f"00-{TRACE}-0{SPAN}-01",
    "flags that are not hexadecimal": f"00-{TRACE}-{SPAN}-0x",
    "flags of one digit": f"00-{TRACE}-{SPAN}-1",
    "other dashes": VALID.replace("-", "_"),
    "digits of another script": VALID.replace("4", "٤"),
    "underscores in a number": f"00-{'_' * 32}-{SPAN}-01",
    "a space before": f" {VALID}",
    "a line break after": f"{VALID}\n",
    "two, as proxies join them": f"{VALID}, {VALID}",
    "a later version, with more that is not set apart": f"01-{TRACE}-{SPAN}-01more",
}


@pytest.mark.parametrize("header", INVALID.values(), ids=INVALID)
def test_what_is_not_valid_names_no_trace(header: str) -> None:
    assert parse(header) is None
    assert trace_id_of(header) is None


def test_no_header_names_no_trace() -> None:
    assert trace_id_of(None) is None


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        (VALID, 0x01),
        (f"00-{TRACE}-{SPAN}-00", 0x00),
        (f"00-{TRACE}-{SPAN}-03", 0x03),
        (f"00-{TRACE}-{SPAN}-ff", 0xFF),
        (f"01-{TRACE}-{SPAN}-01", 0x01),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", 0x01),
        (f"01-{TRACE}-{SPAN}-00-", 0x00),
    ],
)
def test_what_is_valid_names_its_trace_and_its_span(header: str, flags: int) -> None:
    assert parse(header) == Parent(TRACE, SPAN, flags)
    assert trace_id_of(header) == TRACE
    assert bool(flags & SAMPLED) == (flags % 2 == 1)


def hexadecimal(size: int) -> st.SearchStrategy[str]:
    """Nearly always as many digits, and nearly always small ones; sometimes zeros."""
    right = st.text("0123456789abcdef", min_size=size, max_size=size)
    return st.one_of(right, right, right, st.just("0" * size), st.text("0123456789abcdefABg", max_size=size + 1))


headers = st.builds(
    lambda version, trace, span, flags, more: f"{version}-{trace}-{span}-{flags}{more}",
    st.one_of(st.just("00"), st.just("00"), st.just("ff"), hexadecimal(2)),
    hexadecimal(32),
    hexadecimal(16),
    hexadecimal(2),
    st.one_of(st.just(""), st.just(""), st.just("-"), st.text("-a0", max_size=3)),
)


@given(st.one_of(headers, st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=80)))
def test_it_is_read_as_opentelemetry_reads_it(header: str) -> None:
    context = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": header})).get_span_context()
    ours = parse(header)
    assert (ours is not None) == context.is_valid
    if ours is not None:
        assert (int(ours.trace_id, 16), int(ours.span_id, 16)) == (context.trace_id, context.span_id)
        assert ours.flags == context.trace_flags
