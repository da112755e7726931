"""The glossary: a word that was given up for another one does not come back."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| (?P<word>[^|]+) \|[^|]+\| (?P<dropped>[^|]*)\|$", re.MULTILINE)
SOURCE = sorted(ROOT.glob("src/koshel/**/*.py"))
FILES = [
    *SOURCE,
    *(path for path in ROOT.glob("docs/*.md") if path != GLOSSARY),
    *ROOT.glob("docs/decisions/*.md"),
    ROOT / "README.md",
]
# The library's answer and exception; the column, and what `verify` says of it.
STAYS = re.compile(r"\bPromised?\b|\"promise\"|\bthe promise of transaction\b|\bpromises (?:another|transaction)\b")
DROPPED = {
    dropped: row["word"]
    for row in ROW.finditer(GLOSSARY.read_text())
    for dropped in re.findall(r"`(\w+)`", row["dropped"])
}
WORDS = [word for word in DROPPED if word.isalpha() and word.islower()]
NAMES = [name for name in DROPPED if name not in WORDS]


def names(path: Path) -> set[str]:
    """What its code calls things; not the words of its comments and docstrings."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def test_the_glossary_has_its_words_once() -> None:
    words = [word.strip() for row in ROW.finditer(GLOSSARY.read_text()) for word in row["word"].split(",")]
    defined = [word for word in words if word not in {"word", "---"}]
    assert len(defined) > 50
    assert sorted(set(defined)) == sorted(defined)
    assert not set(defined) & set(DROPPED)


@pytest.mark.parametrize("dropped", WORDS)
def test_a_word_that_was_given_up_is_not_used(dropped: str) -> None:
    for path in FILES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = STAYS.sub("", line)
            assert not re.search(dropped, text, re.IGNORECASE), f"{path}:{number}: say {DROPPED[dropped]}"


def test_a_name_that_was_given_up_is_not_used() -> None:
    assert len(NAMES) > 5
    for path in SOURCE:
        used = {name: DROPPED[name] for name in names(path) & set(NAMES)}
        assert not used, f"{path}: the glossary has other words for these"
