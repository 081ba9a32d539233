"""`python -m indexvault` is `indexvault`."""

import sys

from indexvault.cli.main import main

sys.exit(main())
