"""``python -m ImplantSegLib VERB ...`` is the program ``implantseg``."""

from ImplantSegLib.cli import run

if __name__ == "__main__":
    run()
