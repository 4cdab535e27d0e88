"""What reviews found: summaries are checked, counts are recounted, a local server is not asked over a proxy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from mentalglm import runs
from mentalglm.build import quality
from mentalglm.build.export import export
from mentalglm.build.item import Item, Taught
from mentalglm.build.recount import recount
from mentalglm.build.teach.settings import RemoteSettings
from mentalglm.build.teach.wire import Wire
from mentalglm.errors import UserError
from mentalglm.publish import strip
from mentalglm.tasks.answer import Answer, Quote

from .exported import META, many

POST = "第三次面试又没过。我就是个废物。"
ITEM = Item("k-cognitive_pathway", "k", "cognitive_pathway", POST, ("belief", "belief.labeling"), "made")


def taught(summary: str) -> Taught:
    said = "“我就是个废物”用一个贬称概括了整个人，而不是说哪一件事没有做好，属于乱贴标签。"
    quote = Quote("belief.labeling", 9, 15, POST[9:15])
    return Taught("made", "given", "ok", Answer((quote,), said, ITEM.labels, {}, {"belief": summary}))


@pytest.mark.parametrize(
    ("summary", "reason"),
    [
        ("作者把自己整个人说成废物。", ""),
        ("作者说“我再也不想去了”。", "quote_not_verbatim"),
        ("作者患有重度抑郁症，因此自责。", "diagnosis"),
        ("作者留下电话13912345678。", "personal_data"),
    ],
)
def test_every_sentence_of_a_summary_is_checked(summary: str, reason: str) -> None:
    reasons = quality.judge(ITEM, taught(summary), quality.Settings()).reasons
    assert (reason in reasons) if reason else not reasons, reasons


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    with runs.start("made", {}, {}, out=tmp_path / "set") as run:
        run.counts = export(many(), [], run.folder, META).as_dict() | {"across_splits": 0}
    return run.folder


def test_counts_that_the_files_do_not_give_are_named(dataset: Path) -> None:
    assert recount(dataset) == []
    manifest = json.loads((dataset / runs.MANIFEST).read_text(encoding="utf-8"))
    manifest["counts"]["rows"]["train"] += 1
    (dataset / runs.MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    assert runs.verify(dataset) == []
    assert "its rows are not those of the files" in recount(dataset)[0]


@pytest.mark.parametrize("where", [".", "inside", ".."])
def test_a_dataset_is_not_stripped_over_itself(dataset: Path, where: str) -> None:
    before = (dataset / "train.jsonl").read_bytes()
    with pytest.raises(UserError, match="the dataset itself"):
        strip(dataset, dataset / where, overwrite=True)
    assert (dataset / "train.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("url", "country", "proxy"), [("http://127.0.0.1:9/v1", "", False), ("https://a.cn/v1", "CN", True)]
)
def test_only_what_leaves_the_machine_goes_over_a_proxy(url: str, country: str, proxy: bool) -> None:
    async def asks() -> bool:
        async with Wire(RemoteSettings(base_url=url, model="m", country=country), {}) as wire:
            return wire._session.trust_env

    assert asyncio.run(asks()) is proxy
