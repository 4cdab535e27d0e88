"""On SOS-4K's explanations, which a language model wrote, the checks find what is known of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mentalglm.build.item import Item, Taught
from mentalglm.build.quality import Row, Settings, judge
from mentalglm.build.quality.quotes import quote_rates
from mentalglm.tasks.answer import Answer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    folder = Path(os.environ.get("MENTALGLM_DATA", ROOT.parent / "shared" / "data")) / "sos_4k"
    if not (folder / "train.jsonl").is_file():
        pytest.skip("SOS-4K is not here (set MENTALGLM_DATA)")
    out: list[Row] = []
    for part in ("train", "val"):
        for line in (folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
            r = json.loads(line)
            label = "high" if r["label"] >= 6 else "low"
            item = Item(r["id"], r["id"], "suicide_risk", r["text"], (label,), "sos_4k", level=r["label"])
            out.append(Row(item, Taught("existing", "given", "ok", Answer((), r["explain"], (label,)))))
    return out


def test_quotes_that_are_not_verbatim_are_found_at_the_known_rate(rows: list[Row]) -> None:
    rates = quote_rates(rows)
    assert 0.02 < rates["share_quotes_bad"] < 0.03  # about 2.5 %
    assert 0.11 < rates["share_rows_bad_or_none"] < 0.13  # about 12 %


def test_few_are_called_unsafe_and_the_looping_ones_are_found(rows: list[Row]) -> None:
    found = [{f.reason for f in judge(r.item, r.taught, Settings()).findings} for r in rows[::4]]
    share = {
        k: sum(k in f for f in found) / len(found)
        for k in ("diagnosis", "blame", "certainty", "reassurance", "repetition")
    }
    assert all(v < 0.02 for v in share.values()), share
    assert share["repetition"] > 0
