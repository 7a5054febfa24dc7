"""What the tests of the simulator share: the statistics of the realism benchmark."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
