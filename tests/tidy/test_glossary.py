"""The glossary: a word that was given up for another one does not come back."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| (?P<word>[^|]+) \|[^|]+\| (?P<dropped>[^|]*)\|$", re.MULTILINE)
FILES = [
    *ROOT.glob("src/koshel/http/*.py"),
    *(
        ROOT / "src" / "koshel" / name
        for name in (
            "app.py",
            "background.py",
            "errors.py",
            "ledger.py",
            "methods.py",
            "requests.py",
            "submit.py",
            "values.py",
        )
    ),
    *(path for path in ROOT.glob("docs/*.md") if path != GLOSSARY),
    *ROOT.glob("docs/decisions/*.md"),
    ROOT / "README.md",
]
STAYS = re.compile(r"\bPromised?\b")  # the library's answer and exception
DROPPED = {
    dropped: row["word"]
    for row in ROW.finditer(GLOSSARY.read_text())
    for dropped in re.findall(r"`(\w+)`", row["dropped"])
}


def test_the_glossary_has_its_words_once() -> None:
    words = [word.strip() for row in ROW.finditer(GLOSSARY.read_text()) for word in row["word"].split(",")]
    defined = [word for word in words if word not in {"word", "---"}]
    assert len(defined) > 50
    assert sorted(set(defined)) == sorted(defined)
    assert not set(defined) & set(DROPPED)


@pytest.mark.parametrize("dropped", DROPPED)
def test_a_word_that_was_given_up_is_not_used(dropped: str) -> None:
    for path in FILES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = STAYS.sub("", line)
            assert not re.search(dropped, text, re.IGNORECASE), f"{path}:{number}: say {DROPPED[dropped]}"
