"""The export: every style, the same bytes for the same rows, types that load, nothing of a bad row lost."""

from __future__ import annotations

import csv
import errno
import gc
import io
import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mentalglm.build import export as module
from mentalglm.build.export import FIELDS, SPLITS, export, files, meta, rows, styles
from mentalglm.build.export.card import size
from mentalglm.build.export.fields import yaml_features
from mentalglm.errors import UserError
from tests.build.exported import META, TASKS, many, row

DROPPED = [{"id": "x", "reason": "quote", "text": "a\ud800b", "more": ["\udc00"]}, {"id": "y", "reason": "refused"}]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").split("\n") if text]


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dataset") / "c"
    export(many(), DROPPED, path, META)
    return path


def test_the_fields_are_those_of_the_contract() -> None:
    names = (
        "id key task split text labels level expression subject past_attempt evidence explanation sentences summary "
        "messages source_ids sources published_parts label_from disagrees teacher mode attempts hidden_labels "
        "hidden_agrees verdict licence"
    )
    assert " ".join(FIELDS) == names


@pytest.mark.parametrize("task", TASKS)
def test_a_finished_row_has_no_problem(task: str) -> None:
    assert rows.problems(row(task=task)) == []


BROKEN: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("keys", lambda r: r.pop("licence")),
    ("keys", lambda r: r.update(more=1)),
    ("keys out of order", lambda r: r.update(text=r.pop("text"))),
    ("level", lambda r: r.update(level="3")),
    ("level", lambda r: r.update(level=True)),
    ("attempts: null", lambda r: r.update(attempts=None)),
    ("attempts: does not fit", lambda r: r.update(attempts=2**63)),
    ("labels[0]", lambda r: r.update(labels=[3])),
    ("labels: not labels", lambda r: r.update(labels=["high"])),
    ("task: unknown", lambda r: r.update(task="other")),
    ("split", lambda r: r.update(split="dev")),
    ("verdict", lambda r: r.update(verdict="good")),
    ("evidence[0]: keys", lambda r: r["evidence"][0].pop("end")),
    ("evidence[0]: no span", lambda r: r["evidence"][0].update(end=999)),
    ("evidence[0]: the quote", lambda r: r["evidence"][0].update(quote="别的")),
    ("sentences[0]: no span", lambda r: r.update(sentences=[{"start": 3, "end": 3, "labels": []}])),
    ("messages: not one turn", lambda r: r["messages"].reverse()),
    ("text: lone_surrogate", lambda r: r.update(text="\ud83d")),
    ("messages[1].content: lone_surrogate", lambda r: r["messages"][1].update(content="\udfff")),
]


@pytest.mark.parametrize(("said", "spoil"), BROKEN, ids=[said for said, _ in BROKEN])
def test_a_row_that_is_not_as_it_should_be_is_said_to_be_so(said: str, spoil: Callable[[dict[str, Any]], Any]) -> None:
    bad = row()
    spoil(bad)
    found = rows.problems(bad)
    assert any(said in problem for problem in found), found
    assert not any("组会" in problem for problem in found)


def test_two_risk_labels_and_a_summary_that_is_missing_are_problems() -> None:
    assert "labels: not exactly one" in rows.problems(row(task="suicide_risk", labels=["low", "high"]))
    assert "summary: null" in rows.problems(row(task="pathway_summary", summary=None))


def test_what_is_written(folder: Path) -> None:
    names = set(tree(folder))
    styles_ = {f"{style}/{split}.{end}" for split in SPLITS for style, end in
               (("parquet", "parquet"), ("alpaca", "json"), ("alpaca", "jsonl"), ("imhi", "csv"), ("imhi", "jsonl"),
                ("messages", "jsonl"))}  # fmt: skip
    plain = {*(f"{split}.jsonl" for split in SPLITS), "dropped.jsonl", "README.md", "README.zh-CN.md"}
    assert names == styles_ | plain | {"croissant.json", "meta.json", "llama_factory/dataset_info.json"}
    written = [r for split in SPLITS for r in lines(folder / f"{split}.jsonl")]
    assert sorted(written, key=lambda r: r["id"]) == sorted(many(), key=lambda r: r["id"])
    assert meta.read(folder) == META


def test_each_row_stands_in_its_split(folder: Path) -> None:
    for split in SPLITS:
        assert {r["split"] for r in lines(folder / f"{split}.jsonl")} == {split}


def test_the_counts_are_those_of_the_rows(tmp_path: Path) -> None:
    counts = export(iter(many()), iter(DROPPED), tmp_path / "c", META)
    assert counts.total == 40
    for split in SPLITS:
        assert counts.rows[split] == len(lines(tmp_path / "c" / f"{split}.jsonl"))
    said = counts.as_dict()
    assert said["rows"] == {"train": 20, "validation": 10, "test": 10}
    assert sum(said["labels"]["suicide_risk"]["low"].values()) == 8
    assert said["labels"]["suicide_risk"]["high"] == dict.fromkeys(SPLITS, 0)
    assert said["dropped"] == {"quote": 1, "refused": 1}
    json.dumps(said)


def test_equal_rows_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    export(iter(many()), iter(DROPPED), tmp_path / "elsewhere", META)
    assert tree(tmp_path / "elsewhere") == tree(folder)


def test_writing_again_over_a_stopped_export_gives_the_same(folder: Path, tmp_path: Path) -> None:
    def stopped():
        yield from many()[:7]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(stopped(), (), tmp_path / "c", META)
    assert not list((tmp_path / "c").glob("*.spool"))
    (tmp_path / "c" / "train.jsonl.spool").write_text("left by a kill")
    export(many(), DROPPED, tmp_path / "c", META)
    left = {name: data for name, data in tree(tmp_path / "c").items() if not name.endswith(".tmp")}
    assert left == tree(folder)


def test_a_row_that_no_file_can_hold_is_dropped_with_its_reason(tmp_path: Path) -> None:
    bad = row(1)
    bad["text"] += "\ud83d"
    counts = export([row(0), bad], DROPPED, tmp_path, META)
    assert counts.rejected == 1
    assert counts.dropped == {"export": 1, "quote": 1, "refused": 1}
    first, second, _ = lines(tmp_path / "dropped.jsonl")
    assert first["reason"] == "export"
    assert first["detail"] == "text: lone_surrogate"
    assert first["text"].endswith("\ufffd")
    assert second == {"id": "x", "reason": "quote", "text": "a\ufffdb", "more": ["\ufffd"]}
    assert [r["id"] for r in lines(tmp_path / "train.jsonl")] == [row(0)["id"]]


def test_a_line_is_one_line_for_every_reader(tmp_path: Path) -> None:
    odd = "一\u2028二\u2029三\x85四\x0b五\x1c六\r七\n八"
    export([row(i, text=odd * 3, evidence=[]) for i in range(3)], (), tmp_path, META)
    text = (tmp_path / "train.jsonl").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 3
    assert json.loads(text.splitlines()[2])["text"] == odd * 3


def test_the_first_rows_teach_every_type(tmp_path: Path) -> None:
    """Rows in which a column is null come first, by the thousand; a reader that looks at the beginning still learns it."""
    plain = [row(i) for i in range(300)]
    for r in plain:
        r |= {"evidence": [], "labels": [], "messages": rows.messages_of(r | {"evidence": [], "labels": []})}
    full = row(300, "cognitive_pathway", mode="hidden", hidden_labels=["event"], hidden_agrees=True)
    risk = row(301, "suicide_risk")
    export([*plain, full, risk], (), tmp_path, META)
    assert [r["key"] for r in lines(tmp_path / "train.jsonl")][:4] == ["key00000", "key00300", "key00301", "key00001"]


def test_what_train_cannot_teach_is_named(tmp_path: Path) -> None:
    counts = export([row(0), row(1, "suicide_risk", "test")], (), tmp_path, META)
    assert counts.untyped == ("expression", "level", "past_attempt", "subject")
    assert "expression, level, past_attempt, subject" in (tmp_path / "README.md").read_text(encoding="utf-8")


class Row(dict):
    """A row that can be counted while it lives."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def counted(live: list[int]) -> Iterator[Row]:
    """Rows; `live` gets, at each, how many of those given out are still held."""
    held: weakref.WeakSet[Row] = weakref.WeakSet()
    for i in range(200):
        one = Row(row(i))
        held.add(one)
        gc.collect(0)
        live.append(len(held))
        yield one


def test_no_more_than_a_few_rows_are_held(tmp_path: Path) -> None:
    live: list[int] = []
    export(counted(live), (), tmp_path, META)
    assert max(live) <= 3


def test_parquet_holds_no_more_than_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROW_GROUP", 10)
    live: list[int] = []
    files.parquet(tmp_path / "x.parquet", counted(live), FIELDS)
    assert max(live) <= 22


@pytest.mark.parametrize("what", ["open", "replace"])
def test_a_full_disk_is_one_clear_message(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if what == "open":
        monkeypatch.setattr(Path, "open", full)
    else:
        monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(UserError, match="no space left"):
        export(many(), (), tmp_path / "c", META)


# --- styles


def test_alpaca_is_instruction_post_and_answer() -> None:
    r = row(task="suicide_risk")
    out = styles.alpaca(r)
    assert out["input"] == r["text"]
    assert out["output"] == r["messages"][1]["content"]
    assert r["messages"][0]["content"] == f"{out['instruction']}\n帖子：{out['input']}"


def test_role_tokens_of_a_post_are_inert_in_every_style() -> None:
    r = row(text="你好<|assistant|>我没事</s>[gMASK]今天又下雨了，路上人很少。")
    for out in (styles.alpaca(r), styles.imhi(r), styles.messages(r)):
        assert "<|" not in str(out)
        assert "</s>" not in str(out)


@pytest.mark.parametrize(
    ("task", "labels", "said"),
    [
        ("suicide_risk", ["low"], "该帖子属于低自杀风险：未见方法或计划，不等于没有风险。"),
        ("suicide_risk", ["high"], "该帖子属于高自杀风险：出现方法或计划。"),
        ("cognitive_distortion", [], "该帖子没有体现认知歪曲。"),
        ("cognitive_distortion", ["labeling", "mind_reading"], "该帖子体现了以下认知歪曲：读心术、乱贴标签。"),
        ("cognitive_pathway", ["event", "event.life", "belief"], "该帖子体现了以下认知路径：触发性事件（生活）、认知歪曲。"),
    ],
)  # fmt: skip
def test_the_label_sentence(task: str, labels: list[str], said: str) -> None:
    assert styles.label_sentence(task, labels) == said


def test_imhi_is_in_its_own_grammar() -> None:
    r = row()
    assert styles.imhi(r) == {
        "query": f'考虑以下这个帖子："{r["text"]}" 问题：这条帖子体现了哪些认知歪曲？可以没有，也可以不止一种。',
        "response": f"该帖子体现了以下认知歪曲：读心术。 推理：{r['explanation']}",
    }
    summary = styles.imhi(row(task="pathway_summary"))["response"]
    assert summary == "触发性事件：作者在组会上被点名。 认知歪曲：作者认为老板看不起自己。"


def test_an_english_row_keeps_the_published_strings() -> None:
    r = row(task="imhi_dreaddit")
    query, response = (m["content"] for m in r["messages"])
    assert styles.imhi(r) == {"query": query, "response": response}
    assert styles.alpaca(r) == {"instruction": query, "input": "", "output": response}
    assert query.startswith('Consider this post: "I failed again')


def test_the_summary_task_asks_for_the_summary_alone() -> None:
    user, assistant = (m["content"] for m in row(task="pathway_summary")["messages"])
    assert '{"summary": {"event": …' in user
    assert json.loads(assistant)["summary"]["event"] == "作者在组会上被点名。"


def test_csv_and_json_hold_what_the_lines_hold(folder: Path) -> None:
    for split in SPLITS:
        with (folder / "imhi" / f"{split}.csv").open(encoding="utf-8", newline="") as f:
            assert list(csv.DictReader(f)) == lines(folder / "imhi" / f"{split}.jsonl")
        whole = json.loads((folder / "alpaca" / f"{split}.json").read_text(encoding="utf-8"))
        assert whole == lines(folder / "alpaca" / f"{split}.jsonl")


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=25)
def test_any_text_comes_back_from_every_file(text: str) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    import tempfile

    r = row(text=text, evidence=[], explanation=text, disagrees=text)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export([r], (), folder, META)
        assert lines(folder / "train.jsonl") == [r]
        assert pq.read_table(folder / "parquet" / "train.parquet").to_pylist() == [r]
        assert lines(folder / "messages" / "train.jsonl") == [{"messages": r["messages"]}]
        with io.StringIO((folder / "imhi" / "train.csv").read_bytes().decode("utf-8"), newline="") as f:
            assert list(csv.DictReader(f)) == [styles.imhi(r)]


# --- cards


def test_the_cards_say_what_they_must(folder: Path) -> None:
    en = (folder / "README.md").read_text(encoding="utf-8")
    zh = (folder / "README.zh-CN.md").read_text(encoding="utf-8")
    for said in ("not by the paper's authors", "**not rated by people**", "No diagnosis", "12356", "Take-down",
                 "| **all** | **20** | **10** | **10** | **40** |", "https://example.org/p", "Invented \\| set",
                 "fabricated quotes | 0 of 8", "a tenth cut by key", 'not "no risk"',
                 "IMHI dreaddit", "Nobody 2026"):  # fmt: skip
        assert said in en, said
    for said in (
        "并非论文作者所作",
        "**未经人工评定**",
        "没有诊断",
        "12356",
        "删除",
        "不等于没有风险",
        "按内容键切出一成",
    ):
        assert said in zh, said
    assert not [line for line in en.splitlines() + zh.splitlines() if line != line.rstrip()]


def test_verdicts_and_synthetic_sets_are_said(tmp_path: Path) -> None:
    written = row(0, sources=["written"], verdict="edited")
    export([written, row(1, sources=["nowhere"])], (), tmp_path, META)
    en = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "1 of 2 rows carry an expert's verdict (0 accepted, 1 edited)" in en
    assert "written and reviewed by language models, no clinician" in en
    assert "`nowhere`): Nothing" not in en
    assert "- `nowhere`: Nothing is known of this source here." in en
    assert "由语言模型撰写并复核，未经临床人员审核" in (tmp_path / "README.zh-CN.md").read_text(encoding="utf-8")


def test_the_front_matter_is_yaml(folder: Path) -> None:
    yaml = pytest.importorskip("yaml")
    head = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert head["license"] == "other"
    assert head["language"] == ["zh", "en"]
    assert head["size_categories"] == ["n<1K"]
    assert [c["config_name"] for c in head["configs"]] == ["default", "alpaca", "imhi", "messages"]
    assert [size(n) for n in (0, 999, 1000, 10**6)] == ["n<1K", "n<1K", "1K<n<10K", "n>1M"]


def test_an_empty_dataset_is_written_too(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    counts = export([], [], tmp_path, META)
    assert counts.total == 0
    head = yaml.safe_load((tmp_path / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert head["configs"] == []
    assert json.loads((tmp_path / "croissant.json").read_text(encoding="utf-8"))["recordSet"] == []


def test_the_meta_is_checked() -> None:
    with pytest.raises(ValueError, match="version"):
        META.model_validate(META.model_dump() | {"version": "one"})
    with pytest.raises(ValueError, match="odd"):
        META.model_validate(META.model_dump() | {"odd": 1})


# --- other people's readers


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    library = pytest.importorskip("datasets")
    monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    library.disable_progress_bars()
    return library


def test_datasets_loads_the_folder(folder: Path, datasets: Any, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))
    for split in SPLITS:
        assert loaded[split].to_list() == lines(folder / f"{split}.jsonl")
    assert datasets.load_dataset(str(folder), "messages", cache_dir=str(tmp_path))["train"].num_rows == 20


def test_datasets_loads_the_lines_and_the_parquet_alike(folder: Path, datasets: Any, tmp_path: Path) -> None:
    """With a chunk so small that most rows come after the types were learned."""
    names = {split: str(folder / f"{split}.jsonl") for split in SPLITS}
    loaded = datasets.load_dataset("json", data_files=names, chunksize=32 << 10, cache_dir=str(tmp_path))
    tables = {split: str(folder / "parquet" / f"{split}.parquet") for split in SPLITS}
    parquet = datasets.load_dataset("parquet", data_files=tables, cache_dir=str(tmp_path))
    for split in SPLITS:
        assert parquet[split].to_list() == lines(folder / f"{split}.jsonl")
        assert [r["id"] for r in loaded[split]] == [r["id"] for r in parquet[split]]
    one, other = loaded["train"].features, parquet["train"].features
    assert {k: v for k, v in one.items() if k != "summary"} == {k: v for k, v in other.items() if k != "summary"}


def test_datasets_loads_rows_whose_nulls_come_first(datasets: Any, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    export([*(row(i) for i in range(100)), row(100, "suicide_risk"), row(101, "cognitive_pathway")], (), folder, META)
    loaded = datasets.load_dataset(
        "json", data_files=str(folder / "train.jsonl"), chunksize=16 << 10, cache_dir=str(tmp_path)
    )
    assert loaded["train"].num_rows == 102
    assert loaded["train"].features["level"].dtype == "int64"


def test_the_folder_loads_where_train_shows_no_type(datasets: Any, tmp_path: Path) -> None:
    export([row(0), row(1, "suicide_risk", "test")], (), tmp_path / "c", META)
    loaded = datasets.load_dataset(str(tmp_path / "c"), cache_dir=str(tmp_path))
    assert (loaded["train"][0]["level"], loaded["test"][0]["level"]) == (None, 2)


def test_the_types_on_the_card_are_those_that_datasets_would_write(datasets: Any) -> None:
    yaml = pytest.importorskip("yaml")
    from mentalglm.build.export.fields import arrow_schema

    features = datasets.Features.from_arrow_schema(arrow_schema(FIELDS))
    assert yaml.safe_load(yaml_features(FIELDS)) == features._to_yaml_list()


def test_mlcroissant_finds_nothing_to_say_and_reads_the_rows(folder: Path) -> None:
    mlc = pytest.importorskip("mlcroissant")
    dataset = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert not issues.warnings
    said = dataset.metadata
    assert said.data_collection
    assert said.data_biases
    assert said.personal_sensitive_information
    assert said.data_use_cases
    assert said.data_limitations
    assert said.data_annotation_protocol
    for split in SPLITS:
        assert [_plain(r, split) for r in dataset.records(split)] == lines(folder / f"{split}.jsonl")


def _plain(record: dict[str, Any], split: str) -> dict[str, Any]:
    """A record of mlcroissant as the row that it was made from: names without their path, text for bytes."""

    def value(name: str, v: Any) -> Any:
        if isinstance(v, dict):
            inner = {k.rpartition("/")[2]: value(k, x) for k, x in v.items()}
            return None if name.endswith("/summary") and not any(inner.values()) else inner
        if isinstance(v, list):
            return [value(name, x) for x in v]
        return v.decode("utf-8") if isinstance(v, bytes) else v

    return {k.removeprefix(f"{split}/"): value(k, v) for k, v in record.items()}


def test_croissant_hashes_what_is_there(folder: Path) -> None:
    from mentalglm.runs import file_hash

    listed = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))["distribution"]
    assert {f["contentUrl"] for f in listed} >= {"train.jsonl", "parquet/test.parquet", "imhi/train.csv"}
    for f in listed:
        assert f["sha256"] == file_hash(folder / f["contentUrl"])


def test_the_module_says_what_it_exports() -> None:
    assert all(hasattr(module, name) for name in module.__all__)
