"""The docs say everything there is, and nothing that is not there."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

from koshel import __version__
from koshel.config.settings_text import PREFIX, knobs
from koshel.core.model import Refusal
from koshel.db.starting import migrate
from koshel.http.bodies import wire
from koshel.http.handlers.routes import ROUTES
from koshel.http.parameters import names as parameters
from koshel.http.problems import PROBLEMS, document
from koshel.http.route import is_optional

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SETTINGS = {knob.name: knob for knob in knobs()}
PATHS = {f"{route.method} {route.path}": route for route in ROUTES}


def sections(page: str, level: int) -> Mapping[str, str]:
    """The text under each heading of a level that is code, in order."""
    _, *parts = re.split(rf"^{'#' * level} `(.+)`$", (DOCS / page).read_text(), flags=re.MULTILINE)
    texts = [re.split(r"^#{1,4} ", text, maxsplit=1, flags=re.MULTILINE)[0] for text in parts[1::2]]
    return dict(zip(parts[::2], texts, strict=True))


def block(text: str, language: str) -> str:
    """The one code block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(found)


def fields_listed(text: str) -> list[str]:
    """The fields in the tables of a text."""
    return re.findall(r"^\| `([\w.\[\]]+)` \|", text, re.MULTILINE)


def fields_of(body: type[msgspec.Struct], at: str = "") -> Iterator[str]:
    """The fields of a struct, and after each that holds a struct, or an array of them, those of that."""
    for field in msgspec.structs.fields(body):
        yield at + field.encode_name
        shown = inspect.type_info(field.type)
        for one in shown.types if isinstance(shown, inspect.UnionType) else [shown]:
            bare = one.type if isinstance(one, inspect.Metadata) else one
            if isinstance(bare, inspect.StructType):
                yield from fields_of(bare.cls, f"{at}{field.encode_name}.")
            elif isinstance(bare, inspect.ListType) and isinstance(bare.item_type, inspect.StructType):
                yield from fields_of(bare.item_type.cls, f"{at}{field.encode_name}[].")


def test_every_setting_has_a_heading_and_no_other_has_one() -> None:
    assert sections("settings.md", 3).keys() == SETTINGS.keys()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_described_with_its_variable_flag_unit_and_default(name: str) -> None:
    text = sections("settings.md", 3)[name]
    (row,) = [line for line in text.splitlines() if line.startswith("| `KOSHEL_")]
    variable, flag, unit, default = (cell.strip() for cell in row.strip("|").split("|"))
    assert (variable, flag) == (f"`{PREFIX}{name.upper()}`", f"`--{name.replace('_', '-')}`")
    assert unit
    value = SETTINGS[name].default
    if name == "workers":
        assert default == "the number of cores"  # of the machine that it runs on
    elif value is None:
        assert default == "none"
    else:
        assert default == f"`{str(value).lower() if isinstance(value, bool) else value}`"
    assert "**Change it:** " in text


def test_every_problem_has_a_heading_and_no_other_has_one() -> None:
    assert list(sections("errors.md", 2)) == list(PROBLEMS)


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_is_described_with_its_status_and_a_document(code: str) -> None:
    text = sections("errors.md", 2)[code]
    problem = PROBLEMS[code]
    assert text.strip().startswith(f"Status {problem.status}, {'retryable' if problem.retryable else 'not retryable'}.")
    assert "**What to do:** " in text
    example = json.loads(block(text, "json"))
    assert document(code, example["detail"]).items() <= example.items()
    facts = {name: value for name, value in example.items() if name not in document(code, "")}
    assert list(example) == list(document(code, "", **facts)), "in the order in which the service has them"


@pytest.mark.parametrize("page", ["errors.md", "architecture.md"])
def test_the_refusals_are_listed_in_order_of_precedence(page: str) -> None:
    listed = re.findall(r"^\d+\. \[?`([a-z-]+)`", (DOCS / page).read_text(), re.MULTILINE)
    assert listed == list(Refusal)


def test_every_route_has_a_heading_and_no_other_has_one() -> None:
    assert sections("api.md", 3).keys() == PATHS.keys()


@pytest.mark.parametrize("name", PATHS)
def test_the_example_of_a_route_is_a_request_that_it_takes(name: str) -> None:
    route = PATHS[name]
    command, *arguments = shlex.split(block(sections("api.md", 3)[name], "sh").replace("\\\n", ""))
    assert command == "curl"
    (url,) = [argument for argument in arguments if argument.startswith("http://127.0.0.1:8080/")]
    path = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route.path))
    asked, _, query = url.removeprefix("http://127.0.0.1:8080").partition("?")
    assert re.fullmatch(path, asked)
    assert {pair.partition("=")[0] for pair in query.split("&") if pair} <= parameters(route.query)
    sent = arguments[arguments.index("-d") + 1] if "-d" in arguments else None
    method = arguments[arguments.index("-X") + 1] if "-X" in arguments else ("POST" if sent else "GET")
    assert method == route.method
    if route.body is None:
        assert sent is None
    elif sent is None:  # only where a request may come without
        assert is_optional(route.body)
        assert method == "POST"
    else:
        assert "Content-Type: application/json" in arguments
        msgspec.json.decode(sent, type=route.body)
    keyed = any(argument.startswith("Idempotency-Key: ") for argument in arguments)
    assert keyed == (method == "POST" and route.takes_key), "whoever copies an example shall have a key"


@pytest.mark.parametrize("name", [name for name, route in PATHS.items() if route.body is not None])
def test_the_fields_of_a_request_are_those_that_the_route_takes(name: str) -> None:
    body = PATHS[name].body
    assert body is not None
    assert fields_listed(sections("api.md", 3)[name]) == list(fields_of(body))


@pytest.mark.parametrize(("heading", "reply"), [("Accounts", wire.Account), ("Transactions", wire.Transaction)])
def test_the_fields_of_a_reply_are_those_that_it_has(heading: str, reply: type[msgspec.Struct]) -> None:
    text = (DOCS / "api.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n### ")[0]
    assert fields_listed(text) == list(fields_of(reply))


def test_the_fields_of_the_queue_are_those_that_it_has() -> None:
    assert fields_listed(sections("api.md", 3)["GET /health/queue"]) == list(fields_of(wire.QueueHealth))


def test_bad_input_is_answered_with_problems_that_have_these_statuses() -> None:
    text = (DOCS / "api.md").read_text().partition("\n## Bad input")[2].partition("\n## ")[0]
    answers = re.findall(r"(\d{3}) `([a-z-]+)`", text)
    assert answers
    assert [(int(status), code) for status, code in answers] == [(PROBLEMS[code].status, code) for _, code in answers]


def test_every_module_is_in_the_list_of_rooms_once_and_in_its_own() -> None:
    text = (DOCS / "architecture.md").read_text()
    (tree,) = re.findall(r"^```\nsrc/koshel/\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    hall, *rooms = re.split(r"^  ([\w/]+)/ ", tree, flags=re.MULTILINE)
    for room, listed in {"": hall, **dict(zip(rooms[::2], rooms[1::2], strict=True))}.items():
        there = [path.name for path in (ROOT / "src" / "koshel" / room).glob("*.py") if not path.name.startswith("__")]
        assert sorted(re.findall(r"\b\w+\.py\b", listed)) == sorted(there), room


def test_every_decision_is_listed_and_every_listed_one_is_there() -> None:
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (DOCS / "decisions" / "README.md").read_text())
    assert listed == sorted(path.name for path in (DOCS / "decisions").glob("0*.md"))


def test_a_decision_has_its_four_parts() -> None:
    for path in (DOCS / "decisions").glob("0*.md"):
        text = path.read_text()
        assert re.match(rf"# {int(path.name[:4])}\. \S", text), path
        for part in ("Status: ", "**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{path}: {part}"


def test_every_migration_is_in_the_changelog() -> None:
    listed = re.findall(r"^- `(\d{4}\.\w+)`", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sorted(listed) == migrate.known()


def test_the_changelog_has_this_version() -> None:
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert versions[0] == __version__


def test_a_warning_stands_beside_every_address_to_listen_on() -> None:
    shown = 0
    for page in [ROOT / "README.md", ROOT / "Dockerfile", *DOCS.rglob("*.md")]:
        lines = page.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.search(r"serve\b.*--host", line):
                assert "WARNING" in lines[number - 1], f"{page}:{number + 1}"
                shown += 1
    assert shown >= 2


def test_the_wheel_of_the_readme_is_that_of_this_version_and_has_every_file() -> None:
    assert re.findall(r"koshel-([\d.]+)-py3-none-any\.whl", (ROOT / "README.md").read_text()) == [__version__]
    (listed,) = re.findall(r"^koshel = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    source = ROOT / "src" / "koshel"
    packed = {path for glob in re.findall(r'"(.*?)"', listed) for path in source.glob(glob)}
    there = {path for path in source.rglob("*.*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert there == packed


def test_every_link_between_the_docs_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if link.startswith("http"):
                continue
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), f"{page}: {link}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}, link
