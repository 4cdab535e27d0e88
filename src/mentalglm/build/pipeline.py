"""`mentalglm build`: published sets in, an instruction dataset with explanations out.

    sources → overlaps as published → items → splits → teachers and checks → experts' verdicts → files

Equal recipes and inputs give equal bytes, however often the build was stopped: a remote teacher's answers are kept in
a journal (`.journal/`, mode 600, no part of the dataset), the rest is computed again.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from mentalglm import runs
from mentalglm.build import finished, leakage, quality, review, said
from mentalglm.build.export import export, files
from mentalglm.build.export.rows import IMHI, SUMMARY, problems
from mentalglm.build.item import Item, Taught
from mentalglm.build.items import Dropped, merge
from mentalglm.build.lock import only_one
from mentalglm.build.quality import corpus, report
from mentalglm.build.recipe import Recipe, SourcePart
from mentalglm.build.split import Divided, divide
from mentalglm.build.teach import choose
from mentalglm.build.teach.loop import Given, Lessons, Progress, ask, in_order
from mentalglm.build.teach.teacher import Teacher
from mentalglm.errors import MissingError, UserError
from mentalglm.sources import catalogue, check, clinical, find, generic
from mentalglm.sources.labelled import Labelled
from mentalglm.sources.source import Source
from mentalglm.tasks.answer import Answer, ask_imhi, inert
from mentalglm.text import mask

Say = Callable[[str], None]
Row = dict[str, Any]


class Read(NamedTuple):
    """What the sources gave: their rows, those that cannot be used (as dropped rows), the sources themselves."""

    rows: list[Labelled]
    rejected: list[Row]
    sources: list[Source]


def build(
    recipe: Recipe,
    folder: Path | None,
    out: Path | None,
    *,
    verdicts: Path | None = None,
    journal: Path | None = None,
    agreed: bool = False,
    say: Say = lambda line: None,
    progress: Progress | None = None,
) -> runs.Run:
    """Builds the dataset of `recipe` into the run folder `out` and returns the finished run.

    folder: where source files lie. verdicts: what experts said of an earlier build. journal: a folder that keeps a
    remote teacher's answers, in place of the run's own. agreed: that posts may go to the remote teacher that the recipe
    names. Raises UserError for what is wrong with recipe, sources or folder, MissingError for what is not there, or a
    teacher that left rows unanswered: the same call asks for the rest.
    """
    sources = [_source(part, folder) for part in recipe.sources]
    inputs = {k: p for s in sources for k, p in find.inputs(s, folder).items()}
    held: dict[tuple[str, str], review.Verdict] = {}
    if verdicts is not None:
        held = review.read_verdicts(verdicts)
        inputs["verdicts"] = verdicts
    teachers = choose.teachers(recipe, folder, agreed)
    config = recipe.hashed() | {"teachers": [[t.name, t.fingerprint] for t in teachers]}
    with ExitStack() as stack:
        run = stack.enter_context(runs.start(recipe.name, config, inputs, out=out))
        if run.done:
            return run
        stack.enter_context(only_one(run.folder))
        choose.open_journals(teachers, journal or run.folder / runs.JOURNAL, stack)
        for line in _differing(recipe, sources, folder):
            say(line)
        read = _read(recipe, sources, folder)
        say(f"{len(read.rows):,} labelled posts read; {len(read.rejected):,} rows cannot be used")
        _build(recipe, run, teachers, read, held, say, progress or Progress())
    return run


def _source(part: SourcePart, folder: Path | None) -> Source:
    if part.key is not None:
        return catalogue.load(part.key)
    if folder is None:
        raise MissingError("a table or records of your own need a folder", "name it with --from FOLDER")
    if part.table is not None:
        return generic.source(part.table)
    assert part.records is not None  # the recipe has been checked
    return clinical.source(part.records, folder)


def _differing(recipe: Recipe, sources: Sequence[Source], folder: Path | None) -> list[str]:
    """What is wrong with the files of sets that we know; the build goes on with what can be read of them."""
    out: list[str] = []
    for part, source in zip(recipe.sources, sources, strict=True):
        wrong = [f for f in check.look(source, folder).findings if f.wrong] if part.key else []
        out += [f"{source.key} is not the published set: {f}" for f in wrong[:3]]
        out += (
            [f"{source.key}: {len(wrong) - 3} more; see `mentalglm data check {source.key}`"] if len(wrong) > 3 else []
        )
    return out


def _read(recipe: Recipe, sources: Sequence[Source], folder: Path | None) -> Read:
    rows: list[Labelled] = []
    rejected: list[Row] = []
    for part, source in zip(recipe.sources, sources, strict=True):
        reading = find.read(source, folder)
        rows += reading.rows[: part.limit] if part.limit else reading.rows
        rejected += [
            {"id": r.id, "task": source.task, "source_ids": [r.id], "reason": "unreadable", "detail": f"{r.code}: {r}"}
            for r in reading.rejected
        ]
    return Read(rows, rejected, list(sources))


def _build(
    recipe: Recipe,
    run: runs.Run,
    teachers: Sequence[Teacher],
    read: Read,
    held: dict[tuple[str, str], review.Verdict],
    say: Say,
    progress: Progress,
) -> None:
    before = leakage.table(leakage.of_rows(read.rows), recipe.split.near)
    merged = merge([r for r in read.rows if _wanted(r.task, recipe)], recipe.labels)
    if not merged.items:
        why = ", ".join(f"{n:,} {reason}" for reason, n in Counter(d.reason for d in merged.dropped).most_common())
        raise UserError(
            f"the sources give no post for {', '.join(recipe.tasks)}" + (f" ({why})" if why else ""),
            "look at tasks and sources in the recipe",
        )
    divided = divide(merged.items, recipe.split)
    splits = Counter(i.split for i in divided.items)
    say(f"{len(divided.items):,} items: " + ", ".join(f"{n:,} {s}" for s, n in splits.most_common()))
    lessons = _teach(recipe, divided.items, teachers, read.rows, progress)
    if lessons.unanswered:
        why = Counter(lessons.unanswered.values()).most_common(1)[0][0]
        raise MissingError(
            f"{len(lessons.unanswered):,} of {len(divided.items):,} items have no answer yet ({why}); what was answered is "
            "in the journal",
            "run the same command again: it asks for the rest",
        )
    rows, failed = _rows(recipe, divided, lessons, {s.key: s.licence for s in read.sources})
    rows, verdicts, rejected = _apply(rows, held)
    rows, alike = _without_forms(recipe, divided, lessons, rows)
    dropped = [*read.rejected, *map(_dropped, (*merged.dropped, *divided.dropped)), *failed, *rejected, *alike]
    sound = [r for r in rows if not problems(r)]  # the export turns the others away
    kept = {r["id"] for r in sound}
    after = leakage.table(leakage.of_items([i for i in divided.items if i.id in kept]), recipe.split.near)
    overlaps = leakage.across_splits(after)
    _json(run.folder / "leakage.json", {"before": before, "after": after, "across_splits": overlaps})
    (run.folder / "leakage.md").write_text(leakage.markdown(before, after), encoding="utf-8")
    found = _report(recipe, run.folder, divided, lessons, kept)
    files.jsonl(run.folder / "review" / "sample.jsonl", review.sample(sound, recipe.review.per_task))
    counts = export(rows, dropped, run.folder, said.meta(recipe, read.sources, teachers, divided, found, overlaps))
    run.counts.update(counts.as_dict())
    run.counts |= {"across_splits": overlaps, "cut_by_us": divided.cut, "expert_verdicts": verdicts}
    run.counts |= {"tokens": progress.tokens, "cost": round(progress.cost, 6)} if progress.tokens else {}
    why = ", ".join(f"{n:,} {reason}" for reason, n in counts.dropped.most_common(5))
    gone = f"{counts.dropped.total():,} dropped" + (f" ({why})" if why else "")
    say(f"{counts.total:,} rows kept, {gone}, {overlaps} posts in two splits")
    if verdicts["held"] or verdicts["stale"] or verdicts["without_row"]:
        say("verdicts: " + ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in verdicts.items()))


def _wanted(task: str, recipe: Recipe) -> bool:
    return ("imhi" if task.startswith(IMHI) else task) in recipe.tasks


def _teach(
    recipe: Recipe, items: list[Item], teachers: Sequence[Teacher], rows: Sequence[Labelled], progress: Progress
) -> Lessons:
    def judge(item: Item, taught: Taught) -> quality.Verdict:
        return quality.judge(item, taught, recipe.quality)

    chinese = [i for i in items if not i.task.startswith(IMHI)]
    hidden = recipe.teach.mode == "hidden"
    lessons = asyncio.run(ask(chinese, teachers, judge, recipe.teach.attempts, hidden, progress))
    english = {r.id: r for r in rows if r.task.startswith(IMHI)}
    # not Chinese, and the published reasons quote nothing
    own = recipe.quality.model_copy(update={"language": "en", "quote_needed": "never"})
    for item in items:
        if item.task.startswith(IMHI):
            given = _published(item, english[item.sources[0]], lambda i, t: quality.judge(i, t, own))
            (lessons.kept if given.verdict.passed else lessons.failed)[item.id] = given
    return lessons


def _published(item: Item, row: Labelled, judge: Callable[[Item, Taught], quality.Verdict]) -> Given:
    """An English instruction in IMHI's own grammar: the post (masked, role tokens inert) and the question as published,
    the answer as published; the checks are those that apply."""
    reply = inert(mask(row.answer or "")[0])
    answer = Answer((), row.explanation or reply, item.labels)
    taught = Taught(
        "imhi",
        "given",
        "ok",
        answer,
        raw=reply,
        meta={"question": ask_imhi(item.text, row.question or ""), "answer": reply},
    )
    return Given(taught, judge(item, taught))


def _rows(recipe: Recipe, divided: Divided, lessons: Lessons, licences: dict[str, str]) -> tuple[list[Row], list[Row]]:
    """The rows of what passed, and what did not, with the reasons."""
    rows: list[Row] = []
    for item, given in in_order(divided.items, lessons.kept):
        made = finished.row(item, given, licences[item.parts[0][0]])
        rows.append(made)
        if item.task == "cognitive_pathway" and SUMMARY in recipe.tasks and (short := finished.summary_row(made)):
            rows.append(short)
    failed = []
    for item in divided.items:
        if item.id not in lessons.kept and item.id not in lessons.failed:
            gone = Dropped(item.id, item.task, item.sources, "no_teacher", "no teacher of the recipe takes it")
            failed.append(_dropped(gone))
    for item, given in in_order(divided.items, lessons.failed):
        reasons = given.verdict.reasons
        reason = given.taught.status if given.taught.status != "ok" else reasons[0]
        gone = _dropped(Dropped(item.id, item.task, item.sources, reason, "; ".join(reasons)))
        failed.append(gone | {"labels": list(item.labels), "level": item.level, "teacher": given.taught.teacher})
    return rows, failed


def _dropped(d: Dropped) -> Row:
    return {"id": d.id, "task": d.task, "source_ids": list(d.sources), "reason": d.reason, "detail": d.detail}


def _apply(rows: list[Row], held: dict[tuple[str, str], review.Verdict]) -> tuple[list[Row], dict[str, int], list[Row]]:
    """The rows after the experts: accepted, edited, or rejected and dropped."""
    kept: list[Row] = []
    rejected: list[Row] = []
    wrong: list[str] = []
    for row in rows:
        verdict = held.get((row["key"], row["task"]))
        if verdict is None or not review.holds(verdict, row):
            kept.append(row)
        elif verdict.verdict == "reject":
            gone = Dropped(row["id"], row["task"], tuple(row["source_ids"]), "rejected_by_expert", verdict.reason or "")
            rejected.append(_dropped(gone))
        elif verdict.verdict == "edit":
            changed = review.edited(row, verdict)
            if isinstance(changed, str):
                wrong.append(f"{row['id']}: {changed}")
            else:
                kept.append(finished.remade(changed | {"verdict": "edited"}))
        else:
            kept.append(row | {"verdict": "accepted"})
    if wrong:
        shown = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise UserError(f"verdicts that cannot be applied: {shown}", "mend them in the file")
    return kept, review.counts(rows, held), rejected


def _without_forms(recipe: Recipe, divided: Divided, lessons: Lessons, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Where more explanations than the recipe allows are one form filled in, all but the first of each form go; what an
    expert has accepted or edited stays."""
    kept = {r["id"] for r in rows}
    judged = [quality.Row(i, g.taught) for i, g in in_order(divided.items, lessons.kept) if i.id in kept]
    found = corpus.look(judged, recipe.quality)
    if found.passed:
        return rows, []
    seen = {r["id"] for r in rows if r["verdict"]}
    bad = {
        r.id: f.reason
        for r, fs in zip(judged, found.findings, strict=True)
        for f in fs
        if f.reason == "skeleton_shared" and r.id not in seen
    }
    gone = [
        _dropped(Dropped(r["id"], r["task"], tuple(r["source_ids"]), bad[r["id"]], "")) for r in rows if r["id"] in bad
    ]
    return [r for r in rows if r["id"] not in bad], gone


def _report(recipe: Recipe, folder: Path, divided: Divided, lessons: Lessons, kept: set[str]) -> Row:
    """Writes the report on quality; rows that an expert rejected are among the dropped."""
    every = {**lessons.failed, **lessons.kept}
    judged = [quality.Row(i, g.taught, g.verdict.findings) for i, g in in_order(divided.items, every)]
    asked = {
        t: {"answers": n, "did_not_pass": dict(sorted(lessons.found_wanting[t].items()))}
        for t, n in sorted(lessons.asked.items())
    }
    refused = [quality.Row(i, g.taught, g.verdict.findings) for i, g in in_order(divided.items, lessons.refused)]
    return report.write(
        folder,
        [r for r in judged if r.id in kept],
        [r for r in judged if r.id not in kept],
        recipe.quality,
        asked=asked,
        refused=[r for r in refused if every[r.id].taught.status != "refused"],
        hidden=_hidden(divided.items, every),
    )


def _hidden(items: Sequence[Item], every: dict[str, Given]) -> dict[str, tuple[int, int]]:
    """By task: rows that a teacher labelled without being told, and how many of these as the gold."""
    asked: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for item, given in in_order(items, every):
        if given.hidden is not None:
            asked[item.task] += 1
            agreed[item.task] += given.hidden == item.labels
    return {task: (n, agreed[task]) for task, n in asked.items()}


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
