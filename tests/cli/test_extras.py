"""Extras are installed from where Koshel came: an index may have another package of this name."""

import re
import tomllib
from pathlib import Path

import pytest

from koshel.config import extras

ROOT = Path(__file__).parents[2]
EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]) - {"dev"}


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_an_extra_is_installed_from_a_checkout_or_a_wheel(extra: str) -> None:
    assert extras.how_to_install(extra) == (
        f"install Koshel's extra {extra}: pip install --editable '.[{extra}]' in a checkout, or with a wheel"
        f" pip install './koshel-….whl[{extra}]'"
    )


def test_the_readme_names_every_extra() -> None:
    section = (ROOT / "README.md").read_text().partition("### Extras")[2].partition("##")[0]
    assert set(re.findall(r"`(\w+)`", section.partition("|")[0])) == EXTRAS


def test_no_page_tells_to_install_koshel_by_its_name() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.*")]
    assert not [page for page in pages if re.search(r"koshel\[|install '?koshel(?!-)\b", page.read_text())]
