"""Whether a generator repeats its training images, from the results of an evaluation.

    darklens evaluate generator --model common-test-1 --preset common-test-1 --count 1000 \
        --expected --training-count 150000 --classifier none --splits 1 --output runs/memorisation
    python benchmarks/generator_memorisation.py runs/memorisation

The table is `benchmarks/results/generator_memorisation.md`. It holds the command, machine and date;
nothing in it is typed by hand.
"""

import argparse
import json
from pathlib import Path

from generator_scores import RESULTS, command

from darklens.train.cards import machine_name


def table(folder: Path) -> str:
    """The table of one evaluation."""
    scores = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    lines = [
        f"# Whether `{scores['model']}` repeats training images",
        "",
        f"{machine_name()}, {scores['date'][:10]}. `{command(folder)}`, then "
        "`python benchmarks/generator_memorisation.py`. "
        f"{scores['generated']:,} generated images and {scores['real']:,} held-out ones "
        f"({scores['real_images']}), each with its nearest training image. Training images: "
        f"{scores['training_images']}. The p value is that of a one-sided Mann-Whitney test: small "
        "if generated images are closer. Close is closer than 99 % of the held-out images.",
        "",
        "| distance in | training images | close | p value | median, generated | median, held out "
        "| smallest, generated |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {kind} | {test['training']:,} | {100 * test['share_close']:.1f} % "
            f"| {test['p_value']:.2g} | {test['median_generated']:.4g} "
            f"| {test['median_real']:.4g} | {test['closest_distances'][0]:.4g} |"
            for kind, test in scores["memorisation"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of an evaluation")
    text = table(parser.parse_args().folder)
    (RESULTS / "generator_memorisation.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
