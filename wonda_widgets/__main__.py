"""``python -m wonda_widgets``."""

import sys

from .cli.main import main

sys.exit(main())
