"""python benchmarks/minimal_pairs.py [--out FILE] [--model-folder DIR] [--show]

`mini` on the project's held-out minimal pairs: nearly the same words, another reading. A post is right when the risk (high
or low) and "a wish or more, or less" are right and, where the two posts differ in whose risk it is, that too; a pair is
right when both posts are. An abstained post keeps its best decision; how often that happens is said beside.
The ids of the wrong posts are told with --show only: who mends the model by them has no test left.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mentalglm.models.mini import WEIGHTS, Mini
from mentalglm.train.pairs import minimal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--model-folder", type=Path, default=WEIGHTS)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    found = minimal(Mini(folder=args.model_folder))
    if not args.show:
        found.pop("wrong")
    text = json.dumps(found, ensure_ascii=False, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
