"""The examples are run: the one in its file, and the one in the README."""

import re
import subprocess
import sys
from pathlib import Path

from koshel.db.verifying.verify import verify
from tests.support.bookkeeping import execute
from tests.support.database import Database

ROOT = Path(__file__).parents[2]
SAYS = """\
order 1 is kept and paid for
no piano: insufficient-funds, 87.50 is there
orders kept: 1
transfer: 5.00 USD
held: 30.00, until it is captured, voided, or an hour is over
captured last: 6.00
refunded: 2.00 of 5.00
paid: 19.40 to the seller and 0.60 in fees, both or neither
ann@example.com has 38.50 USD
shop@example.com has 60.90 USD
fees@example.com has 0.60 USD
"""


def test_the_example_of_the_library_says_what_it_does(database: Database) -> None:
    program = [sys.executable, str(ROOT / "examples" / "library.py"), database.owner_url]
    done = subprocess.run(program, capture_output=True, check=False, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, SAYS, "")
    assert verify(database.owner_url) == []


def test_the_example_of_the_library_may_be_run_again_beside_orders_of_somebody_else(database: Database) -> None:
    execute(database.owner_url, "CREATE TABLE orders (number text)")
    program = [sys.executable, str(ROOT / "examples" / "library.py"), database.owner_url]
    said = [subprocess.run(program, capture_output=True, check=True, text=True, timeout=60).stdout for _ in range(2)]
    assert said == [SAYS, SAYS.replace("order 1 ", "order 2 ").replace("orders kept: 1", "orders kept: 2")]
    assert verify(database.owner_url) == []


def test_the_example_of_the_library_says_what_it_wants_where_nothing_is(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "examples" / "library.py")]
    done = subprocess.run(program, capture_output=True, check=False, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no database" in done.stderr
    assert "or name a database: python examples/library.py postgresql://" in done.stderr


def test_the_example_of_the_readme_runs(database: Database) -> None:
    (script,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    named = re.sub(r"^DSN = .*$", f"DSN = {database.owner_url!r}", script, flags=re.MULTILINE)
    assert named != script
    for _ in range(2):  # whoever tries it tries it again
        done = subprocess.run([sys.executable, "-c", named], capture_output=True, check=False, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
    assert verify(database.owner_url) == []
