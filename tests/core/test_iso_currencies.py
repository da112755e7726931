"""The currencies of ISO 4217 are those of the package that they come from."""

import iso4217

from koshel.core.money import has_no_unit, iso_scales
from tests.support import generate


def test_the_table_is_as_it_is_generated() -> None:
    assert generate.CURRENCIES.read_text() == generate.currencies_text(), "run `make docs`"


def test_each_code_of_the_package_has_its_decimals_or_none() -> None:
    units = {str(code): str(entry["CcyMnrUnts"]) for code, entry in iso4217.raw_table.items()}
    del units["None"]  # of Antarctica, which has no currency
    assert len(units) > 170
    assert iso_scales() == {code: int(text) for code, text in units.items() if text.isdigit()}
    assert {code for code in units if has_no_unit(code)} == set(units) - set(iso_scales())
