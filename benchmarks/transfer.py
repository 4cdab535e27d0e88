"""python benchmarks/transfer.py --from FOLDER [--model-folder DIR] [--out FILE]

A model folder on published sets that it was not trained on (mini-open, for example): F1 of high risk on SOS-HL-1K's
training part, micro- and macro-F1 on SocialCD-3K's, and false alarms on ordinary posts. For `mini` itself these posts are
training posts and the figures would be worthless: it refuses.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from mentalglm.models.mini import Mini
from mentalglm.train.corpus import DISTORTIONS, DISTORTIONS_ZH
from mentalglm.train.decide import micro_macro
from mentalglm.train.figures import f1, interval


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="folder", type=Path, required=True)
    parser.add_argument("--model-folder", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    model = Mini(folder=args.model_folder)
    if model.name == "mini":
        parser.error("mini was trained on these posts; name the folder of another model")
    risk = rows(args.folder / "sos_hl_1k/train.jsonl")
    y = np.array([r["label"] for r in risk])
    answers = [x["analyses"]["suicide_risk"] for x in model.analyze([r["text"] for r in risk], tasks=["suicide_risk"])]
    said = np.array([a["labels"] == ["high"] for a in answers])
    out: dict[str, Any] = {
        "model": {"name": model.name, "revision": model.revision},
        "sos_hl_1k": {"n": len(y), "f1_high": interval(lambda i: f1(said[i], y[i]), len(y))},
    }
    posts = rows(args.folder / "socialcd_3k/train.jsonl")
    gold = np.array([[d in {DISTORTIONS_ZH[x] for x in r["labels"]} for d in DISTORTIONS] for r in posts])
    found = model.analyze([r["text"] for r in posts], tasks=["cognitive_distortion"])
    given = np.array([[d in x["analyses"]["cognitive_distortion"]["labels"] for d in DISTORTIONS] for x in found])
    out["socialcd_3k"] = {
        "n": len(posts),
        "micro_f1": interval(lambda i: micro_macro(given[i], gold[i])[0], len(posts)),
        "macro_f1": interval(lambda i: micro_macro(given[i], gold[i])[1], len(posts)),
    }
    plain = rows(args.folder / "ordinary_weibo/train.jsonl")[:2000]
    both = list(model.analyze([r["text"] for r in plain], tasks=["suicide_risk", "cognitive_distortion"]))
    out["ordinary_weibo"] = {
        "n": len(plain),
        "high": float(np.mean([x["analyses"]["suicide_risk"]["labels"] == ["high"] for x in both if "analyses" in x])),
        "any_distortion": float(
            np.mean([bool(x["analyses"]["cognitive_distortion"]["labels"]) for x in both if "analyses" in x])
        ),
    }
    text = json.dumps(out, ensure_ascii=False, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
