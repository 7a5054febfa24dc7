"""`python -m darklens` is the same as the command `darklens`."""

import sys

from darklens.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
