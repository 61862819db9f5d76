"""`python -m zvonok`."""

import sys

from zvonok.cli import main

sys.exit(main())
