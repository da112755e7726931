"""The house rules, executable. The limits are a ratchet: they may be lowered, not raised."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "koshel"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

FILE_MAX = 250
FILE_MEDIAN_MAX = 100
FUNCTION_MAX = 50
NINE_IN_TEN_MAX = 25
TESTS_PER_SOURCE_LINE = 1.5

ENTRY_POINTS = {"koshel.__main__"}  # what nobody imports, since it is where everything starts

# How SQL begins in a string: the keyword, then something that only SQL has.
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|ROLE|INDEX)"
    r"|ALTER\s+TABLE|DROP\s+TABLE|GRANT\s+\w+\s+ON|TRUNCATE\s+\w+)\b",
    re.DOTALL,
)
# Directories that are somebody's own, and the hosts that packages come from; written so as not to match itself.
FOREIGN = re.compile(
    r"/(?:work|root|home|Users|tmp)/\w"
    r"|https?://[\w.-]*(?:py" + r"pi\.|python" + r"hosted\.|np" + r"mjs\.|registry\.|proxy\.go|crates\.io)"
)


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def name_of(path: Path) -> str:
    """The module's name."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions() -> Iterator[tuple[str, int]]:
    """Each function's place and its length in lines."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield f"{path.name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def imported(path: Path) -> Iterator[str]:
    """Names that a module imports, among them some that are not modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tracked() -> list[Path]:
    """The files that belong to the project: those that git knows or would add."""
    listing = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    if listing.returncode:
        pytest.skip("not a git working tree")
    return [path for name in listing.stdout.splitlines() if (path := ROOT / name).is_file()]


def test_no_source_file_is_long_and_most_are_short() -> None:
    long = {str(path.relative_to(ROOT)): lines(path) for path in MODULES if lines(path) > FILE_MAX}
    assert not long
    assert statistics.median(map(lines, MODULES)) <= FILE_MEDIAN_MAX


def test_no_test_file_is_long() -> None:
    long = {str(path.relative_to(ROOT)): lines(path) for path in TESTS if lines(path) > FILE_MAX}
    assert not long


def test_no_function_is_long_and_nine_in_ten_are_short() -> None:
    lengths = dict(functions())
    assert not {place: length for place, length in lengths.items() if length > FUNCTION_MAX}
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= NINE_IN_TEN_MAX


def test_the_architecture_fits_in_ten_lines() -> None:
    (settle,) = [
        node
        for node in ast.walk(ast.parse((SOURCE / "settle.py").read_text()))
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert settle.end_lineno is not None
    assert settle.end_lineno - settle.lineno + 1 <= 10


def test_there_is_more_test_than_source() -> None:
    assert sum(map(lines, TESTS)) >= TESTS_PER_SOURCE_LINE * sum(map(lines, MODULES))


def test_no_file_is_a_drawer_for_everything() -> None:
    assert not [path for path in MODULES + TESTS if path.stem in {"utils", "util", "helpers", "common", "misc"}]


def test_nothing_prints() -> None:
    for path in MODULES:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path


def test_no_sql_is_written_anywhere_but_in_sql_files() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]
    assert not found


def test_every_sql_file_is_in_db() -> None:
    assert {path.parent for path in SOURCE.rglob("*.sql")} == {SOURCE / "db", SOURCE / "db" / "migrations"}


def test_every_module_is_imported_by_another() -> None:
    wanted = {name for path in MODULES for name in imported(path)}
    packages = {name_of(path) for path in MODULES if path.stem == "__init__"}
    assert not {name_of(path) for path in MODULES} - packages - wanted - ENTRY_POINTS


def test_every_helper_of_the_tests_is_imported_by_one() -> None:
    wanted = {name for path in TESTS for name in imported(path)}
    run = {"tests.support.generate"}  # by `make docs`
    helpers = {f"tests.support.{path.stem}" for path in (ROOT / "tests" / "support").glob("*.py")}
    assert not helpers - wanted - run


def test_nothing_reads_the_environment_but_the_commands() -> None:
    readers = {path.name for path in MODULES if re.search(r"os\.environ|getenv", path.read_text())}
    assert readers == {"running.py"}


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in FOREIGN.finditer(text)]
    assert not found


def test_every_constraint_is_one_version_of_one_package() -> None:
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert not [line for line in constraints if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.+!]*", line)]
    names = [re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in constraints]
    assert names == sorted(set(names), key=names.index), "each package once"


def test_every_dependency_has_its_constraint() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    constraints = {
        re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = {name.lower() for name in re.findall(r'^    "([a-zA-Z0-9-]+)(?:\[\w+\])?>=', project, re.MULTILINE)}
    assert wanted
    assert not wanted - constraints
