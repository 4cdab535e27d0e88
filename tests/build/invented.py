"""A small folder of source files in the tidy form, made of the project's own invented posts, and recipes for it.

The posts are those of `src/mentalglm/datasets` (synthetic; `minimal_pairs.jsonl` is test only and not used). The labels
are the writers', put into the words of the sets whose place they take.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import json
import shutil
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mentalglm import cli
from mentalglm.build.near import grams, jaccard
from mentalglm.build.quality import plots
from mentalglm.build.teach import choose
from mentalglm.models.mini import Mini
from mentalglm.sources.socialcd_3k import NAMES
from tests.build.fake_server import Server
from tests.command import Done

DATASETS = Path(__file__).parents[2] / "src" / "mentalglm" / "datasets"
CHINESE = {key: name for name, key in NAMES.items()}
Row = dict[str, Any]
S = TypeVar("S", bound=Server)

RISK, LEVELS, CHECKED, DISTORTED = 22, 16, 6, 16  # rows of sos_hl_1k, sos_4k (train, val), socialcd_3k
SHARED = 4  # of sos_hl_1k's posts stand in sos_4k too
DISAGREES = 1  # of these, with a level on the other side of the label

_OPEN = ("作者写到{q}", "帖子里的原话是{q}", "可以摘出{q}", "依据在{q}这几个字")
_DOES = ("说的是眼下的感受和处境", "把当时的事情讲了出来", "语气并不重，内容却很清楚", "前后文围着这件事展开")
_WHY = ("按表达强度的定义归到这一级", "与相邻的等级相比，多的正是这一层", "强度由这句话定下来", "定级时看的就是这里")


def rows(name: str) -> list[Row]:
    """The rows of one of the project's invented sets."""
    return [json.loads(line) for line in (DATASETS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def distinct(given: Sequence[Row], count: int, taken: list[frozenset[str]]) -> Iterator[Row]:
    """The first `count` of `given` that are not like any post in `taken`, which grows."""
    found = 0
    for row in given:
        mine = grams(row["text"])
        if found < count and not any(jaccard(mine, other) >= 0.3 for other in taken):
            taken.append(mine)
            found += 1
            yield row


def clause(text: str) -> str:
    """Words that stand in `text`: its first clause, without marks."""
    for mark in "，。！？,.!?；;：:、…“”\"'「」":
        text = text.replace(mark, "\n")
    return max(text.split("\n")[0:3], key=len).strip()[:20]


def explain(text: str, number: int, *, invented: bool = False) -> str:
    """An explanation that came with a post; no two numbers under 64 share a form. invented: its quote is not there."""
    quote = f"“{'谁也没写过的话' if invented else clause(text)}”"
    return f"{_OPEN[number % 4].format(q=quote)}，{_DOES[number // 4 % 4]}；{_WHY[number // 16 % 4]}。"


def folder(at: Path, **sizes: int) -> Path:
    """Writes sos_hl_1k/train.jsonl, sos_4k/{train,val}.jsonl and socialcd_3k/train.jsonl under `at`.

    Every third explanation of sos_4k quotes what is not in its post. No two posts are alike, but for the SHARED ones.
    """
    risk, levels, checked, distorted = (sizes.get(k, n) for k, n in (("risk", RISK), ("levels", LEVELS),
                                        ("checked", CHECKED), ("distorted", DISTORTED)))  # fmt: skip
    taken: list[frozenset[str]] = []
    hard = rows("hard_negatives")
    low = list(distinct([r for r in hard if r["level"] < 6], (risk + 1) // 2, taken))
    high = list(distinct([r for r in hard if r["level"] >= 6], risk // 2, taken))
    first = [r for pair in zip(low, high, strict=False) for r in pair] + low[len(high) :]
    write(at / "sos_hl_1k" / "train.jsonl", [risk_row(n, r["text"], r["level"]) for n, r in enumerate(first, 1)])
    spread = sorted(rows("contrast_pairs"), key=lambda r: (int(r["id"][-4:-1]), r["id"]))
    posts = list(distinct([r for r in spread if clause(r["text"])], levels + checked - SHARED, taken))
    shared = [dict(r) for r in first[:SHARED]]
    for r in shared[:DISAGREES]:
        r["level"] = 3 if r["level"] >= 6 else 7
    every = [*shared, *posts]
    leveled = [level_row(n, r["text"], r["level"], invented=n % 3 == 0) for n, r in enumerate(every, 1)]
    write(at / "sos_4k" / "train.jsonl", leveled[:levels])
    write(at / "sos_4k" / "val.jsonl", leveled[levels:])
    rare = distinct([r for r in rows("rare_distortions") if r["distortions"]], distorted, taken)
    write(at / "socialcd_3k" / "train.jsonl", [distortion_row(n, r) for n, r in enumerate(rare, 1)])
    return at


def risk_row(number: int, text: str, level: int) -> Row:
    return {"id": f"sos_hl_1k-train-{number:04d}", "text": text, "label": int(level >= 6)}


def level_row(number: int, text: str, level: int, *, invented: bool = False) -> Row:
    explanation = explain(text, number, invented=invented)
    return {"id": f"sos_4k-{number:04d}", "text": text, "label": level, "explain": explanation}


def distortion_row(number: int, row: Row) -> Row:
    names = [CHINESE[key] for key in row["distortions"]]
    return {"id": f"socialcd_3k-train-{number:04d}", "text": row["text"], "labels": names}


def write(path: Path, given: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in given), encoding="utf-8")
    return path


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


HEAD = """\
kind = "dataset"
name = "invented"
released = "2026-01-02"
tasks = ["suicide_risk", "cognitive_distortion"]
"""
SOURCES = "".join(f'[[sources]]\nkey = "{key}"\n' for key in ("sos_hl_1k", "sos_4k", "socialcd_3k"))
OFFLINE = HEAD + SOURCES + '[teach]\nteachers = ["existing", "offline"]\n[review]\nper_task = 10\n'


def remote(url: str, more: str = "", *, teach: str = 'mode = "hidden"', head: str = HEAD + SOURCES) -> str:
    """A recipe that asks a server, whose explanations may be forms filled in (those of the fake one are)."""
    asks = f'[teach]\nteachers = ["remote"]\n{teach}\n[teach.remote]\nbase_url = "{url}"\nmodel = "m"\n{more}\n'
    return f"{head}{asks}[quality]\nmax_shared_skeletons = 1.0\n"


def recipe(at: Path, text: str = OFFLINE) -> Path:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(text, encoding="utf-8")
    return at


def call(*words: str | Path) -> Done:
    """Runs the command line in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        try:
            cli.main([str(word) for word in words])
        except SystemExit as done:
            code = int(done.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


@functools.cache
def mini() -> Mini:
    """One embedded model for all builds of a process."""
    return Mini()


def quick(patch: pytest.MonkeyPatch) -> None:
    """Builds without loading the model anew and without plots; no folder comes from the environment."""
    patch.setattr(choose, "Mini", mini)
    patch.setattr(plots, "draw", lambda found, path: "not drawn")
    patch.delenv("MENTALGLM_DATA", raising=False)


_BUILT: dict[str, Path] = {}


def built(factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(source folder, finished dataset), built once a process by the command line as it is; to be read, not changed."""
    if not _BUILT:
        home = factory.mktemp("invented")
        source, out = folder(home / "source"), home / "dataset"
        done = call("build", recipe(home / "recipe.toml"), "--from", source, "--out", out)
        assert done.code == 0, done
        _BUILT.update(source=source, out=out, err=home / "err")
        _BUILT["err"].write_text(done.err, encoding="utf-8")
    return _BUILT["source"], _BUILT["out"]


def said_by_build() -> str:
    """What the build of `built` wrote to standard error."""
    return _BUILT["err"].read_text(encoding="utf-8")


def kept(out: Path) -> list[Row]:
    """All rows of a dataset, split by split."""
    return [row for split in ("train", "validation", "test") for row in read(out / f"{split}.jsonl")]


def dropped(out: Path) -> list[Row]:
    return read(out / "dropped.jsonl")


def accounted(out: Path) -> list[str]:
    """The ids of source rows that a dataset accounts for, kept or dropped, sorted. A summary is derived from a row."""
    rows_ = [r for r in kept(out) if r["task"] != "pathway_summary"]
    return sorted(x for r in [*rows_, *dropped(out)] for x in r["source_ids"])


def contents(out: Path) -> dict[str, bytes]:
    """Every file of a dataset but the provenance and the journal."""
    paths = (p for p in out.rglob("*") if p.is_file() and ".journal" not in p.parts and p.name != "provenance.json")
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in paths}


def copy(at: Path, to: Path) -> Path:
    return Path(shutil.copytree(at, to))


@contextlib.contextmanager
def serving(server: S) -> Iterator[S]:
    """The fake server on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
