"""What the bench says when it cannot measure, and what it judges by."""

import sysconfig
from pathlib import Path

import pytest

from bench import earlier, machine, report
from bench.against import BATCHED, HELD, SINGLE, Compared
from bench.callers import KEYED, MANY, MEASURED, WITH_JWT
from bench.contest import Measure, Plan
from bench.load import Shape
from bench.proving import Proving
from bench.results import Results
from bench.targets import PLAIN, judged

MEASURE = Measure(per_s=1_000, p50_ms=1, p99_ms=2, server_us=60, worker_us=50, database_us=40, worker_mb=60)
FASTER = Measure(per_s=2_000, p50_ms=1, p99_ms=2, server_us=30, worker_us=20, database_us=40, worker_mb=60)


def results(**measured: object) -> Results:
    found = Results(command="python -m bench", plan=Plan(2, 1, 1, 1), machine=[("cores", "2")], settings=[])
    for name, value in measured.items():
        setattr(found, name, value)
    return found


def reached(found: Results, beginning: str) -> tuple[str, str]:
    """What the table says of a figure, and its verdict."""
    ((_, _, _, values, verdict),) = (row for row in judged(found) if row[0].startswith(beginning))
    return values, verdict


def test_a_clone_without_the_earlier_version_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(earlier.NotInstalled, match=r"version 0\.2\.0 is commit 0{40}, and this clone does not have it"):
        earlier.version(tmp_path / "0.2.0", commit="0" * 40)
    assert not (tmp_path / "0.2.0").exists()


def test_the_report_says_why_there_was_nothing_to_compare_with() -> None:
    text = report.render(results(not_compared="the clone is shallow"))
    assert "## Against 0.2.0\n\n**Not compared:** the clone is shallow" in text
    assert reached(results(), "a worker's processor time") == ("not measured", "")


def test_a_workers_time_is_judged_by_plain_transfers_among_all_accounts() -> None:
    hot = Compared(SINGLE, Shape("hot", 256, keys=False), [MEASURE], [MEASURE])
    plain = Compared(SINGLE, PLAIN, [FASTER], [MEASURE])
    assert reached(results(earlier=[hot, plain]), "a worker's processor time") == ("0.4x", "aim")
    assert reached(results(earlier=[hot]), "a worker's processor time") == ("not measured", "")


def test_batches_holds_and_drains_must_each_be_as_fast_as_before() -> None:
    compared = [
        Compared(BATCHED, Shape("uniform", 16, keys=False), [FASTER], [MEASURE]),
        Compared(HELD, PLAIN, [MEASURE], [MEASURE]),
    ]
    drains = {"ours": [9_000.0, 9_000.0], "earlier": [10_000.0, 10_000.0]}
    found = results(earlier=compared, earlier_drains=drains)
    assert reached(found, "against 0.2.0") == ("2, 1, 0.9x", "**missed**")
    assert "9,000 : 10,000 = **0.90**" in report.render(found)


@pytest.mark.parametrize(("rate", "verdict"), [(990, "aim"), (930, "floor"), (910, "**missed**")])
def test_the_access_log_may_cost_eight_percent(rate: int, verdict: str) -> None:
    with_log = Measure(rate, 1, 2, 60, 50, 40, 60)
    logged = Compared("single", PLAIN, [with_log], [MEASURE])
    assert reached(results(logged=logged), "transfers/s with the access log on")[1] == verdict


@pytest.mark.parametrize(
    ("what", "row"),
    [
        (KEYED, "transfers/s with API keys on"),
        (WITH_JWT, "transfers/s with a JWT"),
        (MEASURED, "transfers/s with metrics on"),
        (MANY, "transfers/s, 1,000"),
    ],
)
def test_keys_metrics_and_ledgers_are_judged_each_by_its_own_comparison(what: str, row: str) -> None:
    slower = Measure(890, 1, 2, 60, 50, 40, 60)
    found = results(callers=[Compared(what, PLAIN, [slower], [MEASURE])])
    assert reached(found, row) == ("0.89x", "**missed**")
    assert f"| {what} |" in report.render(found)


def test_each_floor_has_its_own_row_with_and_without_keys() -> None:
    table = [
        (Shape(who, 256, keys), {"koshel": FASTER, "baseline": Measure(2_000 / ratio, 1, 2, 9, 9, 9, 9)})
        for who, keys, ratio in [
            ("uniform", False, 13.0),
            ("uniform", True, 10.0),
            ("hot", False, 35.0),
            ("hot", True, 25.0),
        ]
    ]
    verdicts = [(row[1], row[3], row[4]) for row in judged(results(table=table))[:4]]
    assert verdicts == [
        ("≥ 13x", "13x", "floor"),
        ("≥ 11x", "10x", "**missed**"),
        ("≥ 28x", "35x", "aim"),
        ("≥ 24x", "25x", "floor"),
    ]


def test_the_machine_says_how_this_python_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    built = {"CONFIG_ARGS": "'--enable-optimizations' '--prefix=/usr'", "PY_CFLAGS": "-O2 -g -O3"}
    monkeypatch.setattr(sysconfig, "get_config_var", built.get)
    assert machine.optimisations() == "-O3, --enable-optimizations: yes, --with-lto: no"


@pytest.mark.parametrize(("seconds", "verdict"), [(6.0, "aim"), (9.0, "floor"), (11.0, "**missed**")])
def test_proofs_are_judged_by_their_rate(seconds: float, verdict: str) -> None:
    found = results(proving=Proving(2_000_000, [seconds, 1.0, 60.0]))
    assert reached(found, "thousands of transactions proved a second")[1] == verdict
    assert "## Proving the books" in report.render(found)
