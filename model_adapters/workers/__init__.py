"""Worker scripts: one official repository each, run in that repository's own environment (see README.md)."""

import sys
from pathlib import Path

# a script finds `protocol` beside itself when it is run by its path, and so it does by `python -m`
sys.path.append(str(Path(__file__).parent))
