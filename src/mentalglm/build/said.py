"""What the dataset's cards say of how it was made, from the recipe and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from mentalglm.build.export import Figure, Meta, Said, Source, Teacher
from mentalglm.build.recipe import Recipe
from mentalglm.build.split import Divided
from mentalglm.build.teach.remote import RemoteTeacher
from mentalglm.sources import source as sources

CHECKS = (
    Said(
        en="form: parsed, label keys known, evidence for every label", zh="格式：可解析，标签键已知，每个标签都有证据"
    ),
    Said(en="labels and level are those given", zh="标签和等级与给定的一致"),
    Said(en="every quote stands in the post, character by character", zh="每处引文都逐字见于帖子"),
    Said(en="length, language, repetition; more than a restated label", zh="长度、语言、重复；不只是复述标签"),
    Said(
        en="no diagnosis, medical advice, method detail, blame, false reassurance or certainty about the future",
        zh="没有诊断、医疗建议、方法细节、责备、虚假的安慰，也不断言将来",
    ),
    Said(en="no personal data beyond what the post holds masked", zh="没有个人信息（帖子中的已遮盖）"),
)
NOTES = {
    "offline": (
        "composed from the codebook's wording and the words that the embedded model weighs most; it was told the label",
        "由手册措辞与嵌入式模型权重最高的词句组合而成；已知标签",
    ),
    "existing": (
        "came with the post (SOS-4K: written by a language model; synthetic pathway set: by the project's language-model "
        "writers), kept where it passed the checks",
        "随帖子发布（SOS-4K：由语言模型撰写；合成认知路径：由本项目的语言模型撰写），通过检查才保留",
    ),
    "imhi": ("published with the English IMHI sets, written by GPT-3.5", "随英文 IMHI 发布，由 GPT-3.5 撰写"),
}


def meta(
    recipe: Recipe,
    read: Sequence[sources.Source],
    teachers: Sequence[Any],
    divided: Divided,
    found: dict[str, Any],
    overlaps: int,
) -> Meta:
    return Meta(
        name=recipe.name,
        version=recipe.version,
        date=date.fromisoformat(recipe.released),
        contact=recipe.contact,
        sources=tuple(_source(s) for s in read),
        teachers=tuple(_teacher(t, recipe.teach.mode) for t in teachers),
        prompts=tuple(f"{t.name}: {t.fingerprint}" for t in teachers),
        checks=CHECKS,
        splits=_splits(recipe, divided, overlaps),
        figures=tuple(_figures(found)),
    )


def _source(s: sources.Source) -> Source:
    url = f"https://github.com/{s.repository}" if s.repository else ""
    synthetic = "synthetic" in s.key
    return Source(
        name=s.key, title=s.en, paper=s.paper, url=url, licence=s.licence, synthetic=synthetic, note_en=s.about
    )


def _teacher(t: Any, mode: str) -> Teacher:
    en, zh = NOTES.get(t.name, ("a language model behind a server", "经服务器调用的语言模型"))
    remote = isinstance(t, RemoteTeacher)
    return Teacher(
        name=t.name,
        mode=mode if remote else "given",
        recipient=t.settings.host if remote and not t.settings.local else "",
        country=t.settings.country if remote else "",
        fingerprint=t.fingerprint,
        note_en=en,
        note_zh=zh,
    )


def _splits(recipe: Recipe, divided: Divided, overlaps: int) -> tuple[Said, ...]:
    if recipe.split.kind == "published":
        return (
            Said(
                en=f"as published; {overlaps} posts stand, exactly or nearly, in two splits (leakage.md)",
                zh=f"沿用原划分；有 {overlaps} 条帖子（完全或近似）出现在两个部分（见 leakage.md）",
            ),
        )
    out = [
        Said(
            en="one split per post over all sources and tasks; near-duplicates (Jaccard of character 3-grams of "
            f"{recipe.split.near:g} or more) stay together; {overlaps} posts in two splits",
            zh=f"同一帖子在所有来源和任务中只属于一个部分；近似重复（字符三元组 Jaccard ≥ {recipe.split.near:g}）归在一起；"
            f"出现在两个部分的帖子：{overlaps}",
        )
    ]
    for source, parts in divided.cut.items():
        shares = ", ".join(f"{p} {getattr(recipe.split, p):.0%}" for p in parts)
        out.append(
            Said(
                en=f"{source}: no {' and no '.join(parts)} part among its files; cut by us ({shares}), by group and label",
                zh=f"{source}：此处没有公开的 {'、'.join(parts)} 部分，由我们按组、按标签分层切出（{shares}）",
            )
        )
    return tuple(out)


def _figures(found: dict[str, Any]) -> list[Figure]:
    rows, quotes = found["rows"], found["quotes"]["kept"]
    bad, every = quotes["quotes_bad"], quotes["quotes"]
    out = [
        Figure(en="answers judged, kept", zh="检查过的回答，保留", value=f"{rows['all']:,}, {rows['kept']:,}"),
        Figure(
            en="quotes in kept explanations that are not in the post", zh="保留的说明中不见于帖子的引文",
            value=f"{bad:,} of {every:,}",
        ),
    ]  # fmt: skip
    if "corpus" in found:
        c = found["corpus"]
        out.append(
            Figure(
                en="explanations whose skeleton (quotes, names, numbers out) is another row's too",
                zh="去掉引文、名称和数字后与别的行相同的说明",
                value=f"{c['skeleton_share']:.1%} ({c['skeleton_shared']:,} of {c['rows']:,})",
            )
        )
    for m in found.get("informative", ()):
        if m.get("las") is not None:
            out.append(
                Figure(
                    en=f"leak-adjusted informativeness (LAS), {m['task']}, {m['teacher']}",
                    zh=f"去泄漏信息量（LAS），{m['task']}，{m['teacher']}",
                    value=f"{m['las']:+.3f} [{m['low']:+.3f}, {m['high']:+.3f}]",
                )
            )
    return out
