"""What a program uses: `from koshel import Ledger`."""
