"""A shipped classifier on images that differ from its preset, for the documentation.

    python benchmarks/stress.py --model default --workers 2

The same as `darklens evaluate classifier --stress`; the table goes to
`benchmarks/results/stress_MODEL.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import datetime
import sys
from pathlib import Path

from darklens.evaluate import stress_classifier
from darklens.train.cards import machine_name

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--preset", help="preset that is shifted; by default the model's own")
    parser.add_argument("--count", type=int, default=900, help="images of each shift")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    chosen = parser.parse_args()
    table = stress_classifier(**vars(chosen))
    command = " ".join(["python benchmarks/stress.py", *sys.argv[1:]])
    text = (
        f"# Shifts: {table.model}\n\n{machine_name()}, {datetime.date.today()}, `{command}`.\n\n"
        f"{table.markdown()}"
    )
    (RESULTS / f"stress_{table.model}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
