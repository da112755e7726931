"""A table is aligned, though its rows come little by little."""

from koshel.command_line.tables import Table


def test_numbers_stand_at_the_right_and_the_heads_come_once() -> None:
    table = Table(("kind", "total"), ("total",))
    assert table.text([("payment", "1.00"), ("refund", "20.00")]) == (
        "kind     total\n-------  -----\npayment   1.00\nrefund   20.00\n"
    )
    assert table.text([("withdrawal", "3.00")]) == "withdrawal   3.00\n"
    assert table.text([("refund", "4.00")]) == "refund       4.00\n"


def test_what_is_empty_leaves_no_blanks_at_the_end() -> None:
    table = Table(("a", "b"))
    assert table.text([("x", "")]) == "a  b\n-  -\nx\n"
    assert Table(("a", "b")).text([]) == "a  b\n-  -\n"
