"""Starts the program. Run by its path, as `sandbox.py` does, it finds the modules beside it, nothing else of ours."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    program = import_module("formats.program")
    del sys.path[0]
    program.main()
