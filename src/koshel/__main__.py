"""python -m koshel."""

import sys

from koshel.command_line.cli import main

sys.exit(main())
