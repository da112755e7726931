"""A data directory that cannot be used: which one, why, and the setting that names another; it is left alone."""

from pathlib import Path

import pytest

from koshel.db.errors import EmbeddedError
from koshel.db.server import embedded


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose cluster is made and stopped; each test leaves it so."""
    directory = tmp_path_factory.mktemp("data")
    with embedded.running(directory):
        pass
    return directory


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/dev/null", "File exists"),
        ("/dev/null/data", "Not a directory"),
        ("/proc/data", "No such file or directory"),
        ("~nobody-of-this-name/data", "Could not determine home directory"),
    ],
)
def test_a_data_directory_that_cannot_be_used_is_said_with_the_setting_that_names_it(name: str, why: str) -> None:
    with pytest.raises(EmbeddedError) as refused, embedded.running(Path(name)):
        pass
    said = str(refused.value)
    assert said == f"the data directory {name} cannot be used: {why}; choose another with KOSHEL_DATA_DIR"


def test_what_fails_while_the_server_is_used_is_not_the_data_directory_s_fault(data_dir: Path) -> None:
    with pytest.raises(FileNotFoundError), embedded.running(data_dir):
        raise FileNotFoundError


@pytest.mark.parametrize("is_file", [True, False])
def test_what_is_no_cluster_is_said_before_it_is_started_and_left_alone(tmp_path: Path, *, is_file: bool) -> None:
    stranger = tmp_path / "postgres"
    if is_file:
        stranger.touch()
    else:
        stranger.mkdir()
    with (
        pytest.raises(EmbeddedError, match=r"is not PostgreSQL's, .* KOSHEL_DATA_DIR$") as refused,
        embedded.running(tmp_path),
    ):
        pass
    assert "The log is" not in str(refused.value)
    assert stranger.is_file() == is_file
    assert is_file or not list(stranger.iterdir())


@pytest.mark.parametrize("other", ["17", "19", "9.6"])
def test_a_cluster_of_another_major_version_is_named_as_that_and_left_alone(data_dir: Path, other: str) -> None:
    version = data_dir / "postgres" / "PG_VERSION"
    right = version.read_text()
    before = sorted(path.name for path in (data_dir / "postgres").iterdir())
    version.write_text(f"{other}\n")
    try:
        with (
            pytest.raises(EmbeddedError, match=f"is of PostgreSQL {other}, .* comes with PostgreSQL {right.strip()}"),
            embedded.running(data_dir),
        ):
            pass
        assert sorted(path.name for path in (data_dir / "postgres").iterdir()) == before
    finally:
        version.write_text(right)
