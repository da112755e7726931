"""What `pip install` makes commands of is there: the tests themselves run `python -m koshel`."""

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())


@pytest.mark.parametrize(("name", "place"), PYPROJECT["project"]["scripts"].items())
def test_each_command_is_a_function_that_is_there(name: str, place: str) -> None:
    assert callable(EntryPoint(name, place, "console_scripts").load())
