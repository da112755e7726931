"""python -m koshel."""

import sys

from koshel.cli import main

sys.exit(main())
