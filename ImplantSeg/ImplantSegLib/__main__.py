"""``python -m ImplantSegLib VERB ...`` is the program ``implantseg``."""

import sys

from ImplantSegLib.cli import main

if __name__ == "__main__":
    sys.exit(main())
