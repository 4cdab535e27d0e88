# ruff: noqa: E501 - a paragraph of Markdown is one line
"""python benchmarks/readme.py [--check]

Writes the measured figures into both READMEs, between the marks `<!-- figures -->` and `<!-- dataset -->`, from the files that
the measurements left: the shipped model's figures.json, benchmarks/results/{deletion,speed,dataset}.json. With
--check it only says whether they stand there (exit 1 if not).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "src/mentalglm/models/mini/weights/figures.json"
RESULTS = ROOT / "benchmarks/results"
FIGURES_AT, DATASET_AT = "figures", "dataset"  # between `<!-- NAME -->` and `<!-- /NAME -->`


def ci(x: dict[str, float], digits: int = 1, scale: float = 100) -> str:
    return f"{x['value'] * scale:.{digits}f} [{x['low'] * scale:.{digits}f}, {x['high'] * scale:.{digits}f}]"


def load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(f: dict[str, Any], lang: str) -> str:
    words = {key: both[LANGUAGES.index(lang)] for key, both in WORDS.items()}
    r, v, d, t, o, p = (f[k] for k in ("risk", "levels", "distortions", "tfidf", "ordinary", "pathway"))
    pairs = f["pairs"]
    rows = [
        (f"{words['risk']} (SOS-HL-1K, n = {r['n']})", words["f1"], ci(t["risk"]["f1"]), f"**{ci(r['f1'])}**"),
        ("", words["difference"], "–", f"{f['paired']['risk']['mean'] * 100:+.1f} "
         f"[{f['paired']['risk']['low'] * 100:+.1f}, {f['paired']['risk']['high'] * 100:+.1f}]"),
        (f"{words['level']} (SOS-4K, n = {v['n']})", words["kappa"], "–", ci(v["quadratic_kappa"], 3, 1)),
        ("", words["severe"].format(n=v["n_9_10"]), "–",
         f"{v['recall_9_10_as_6_up']:.1%}; {r['high_at_9_10']['recall']:.1%}"),
        (f"{words['distortion']} (SocialCD-3K, n = {d['n']})", "micro-F1", ci(t["distortion"]["micro_f1"]),
         f"**{ci(d['micro_f1'])}**"),
        ("", words["macro"].format(n=d["common"]), ci(t["distortion"]["macro_f1"]),
         f"**{ci(d['macro_f1'])}**; {ci(d['macro_f1_common'])}"),
        (words["pathway"], "micro-F1", f"{p['ngrams_only_micro_f1'] * 100:.1f} (n-grams)", ci(p["micro_f1"])),
        (words["ordinary"].format(n=o["n"]), words["false"], "–", f"{o['high']:.2%}; {o['any_distortion']:.1%}"),
        (words["pairs"].format(n=pairs["pairs"]), words["both"], "–", f"{pairs['both_right']:.1%}"),
    ]  # fmt: skip
    head = f"| {words['task']} | {words['measure']} | TF-IDF + {words['linear']} | mini |\n|---|---|---|---|\n"
    return head + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def population(f: dict[str, Any], word: str) -> str:
    shares = f["risk"]["ppv_npv"]
    lines = [
        f"| {word} | " + " | ".join(f"{100 * x['prevalence']:g} %" for x in shares) + " |",
        "|---|" + "---|" * len(shares),
    ]
    for key, digits in (("ppv", 1), ("npv", 2)):
        lines.append(f"| {key.upper()} | " + " | ".join(ci(x[key], digits) for x in shares) + " |")
    return "\n".join(lines)


def deletion(name: str) -> dict[str, str]:
    found = load(name)
    out = {"posts": str(found["posts"]["read"])}
    for task, x in found["tasks"].items():
        out[task] = f"{ci(x['posts_pass'])} % (n = {x['posts']})"
    return out


def speed() -> dict[str, str]:
    found = load("speed")
    ratios = found["threads"]["1"]["ratio"]
    against_bert = next(v for k, v in ratios.items() if k.startswith("mini / bert"))
    return {
        "ratio": f"{against_bert['median']:.1f} × [{against_bert['low']:.1f}, {against_bert['high']:.1f}]",
        "sizes": "; ".join(f"{x['posts']:,}: {x['peak_mb']:.0f} MB" for x in found["sizes"]),
        "cold": f"{found['cold_start']['median']:.1f}",
    }


def common(f: dict[str, Any]) -> dict[str, str]:
    r = f["risk"]
    c, i = r["calibration"], r["calibration_intervals"]
    return {
        "miss": f"{ci(r['miss_rate_covered'])} %",
        "coverage": f"{ci(r['coverage'])} %",
        "slope": f"{c['slope']:.2f} [{i['slope'][0]:.2f}, {i['slope'][1]:.2f}]",
        "intercept": f"{c['intercept']:+.2f}",
        "brier": f"{c['brier']:.3f}",
        "ece": f"{c['ece_debiased']:.3f}",
        "chance": f"{r['ece_by_chance']:.3f}",
    }


LANGUAGES = ("en", "zh")
WORDS = {  # English, Chinese
    "task": ("task", "任务"),
    "measure": ("measure", "指标"),
    "linear": ("linear", "线性"),
    "risk": ("suicide risk", "自杀风险"),
    "f1": ("F1 of high risk", "高风险 F1"),
    "difference": ("difference to TF-IDF (Nadeau–Bengio)", "与 TF-IDF 之差（Nadeau–Bengio）"),
    "level": ("level 0–10", "0–10 级"),
    "kappa": ("quadratic kappa", "二次加权 kappa"),
    "severe": (
        "levels 9–10 (n = {n}): read as level 6 or more; called `high`",
        "9–10 级（n = {n}）：读为 6 级及以上；判为 `high`",
    ),
    "distortion": ("cognitive distortion", "认知歪曲"),
    "macro": ("macro-F1 over twelve; over the {n} with 14 or more", "macro-F1：十二类；样本不少于 14 的 {n} 类"),
    "pathway": ("cognitive pathway (synthetic posts)", "认知路径（合成帖子）"),
    "ordinary": ("ordinary posts (n = {n})", "普通帖子（n = {n}）"),
    "false": ("flagged high; given any distortion", "判为高风险；判出任一歪曲"),
    "pairs": ("own minimal pairs (n = {n})", "自写最小对立对（n = {n}）"),
    "both": ("both right", "两条都对"),
}


def english(f: dict[str, Any]) -> str:
    x, e, u, s = common(f), deletion("deletion"), deletion("deletion-unseen"), speed()
    return f"""{table(f, "en")}

**Sure and not sure.** Out of fold, {x["miss"]} of the high posts that are not abstained are called low (target 10 %), at a coverage of {x["coverage"]}. Calibration slope {x["slope"]}, intercept {x["intercept"]}, Brier {x["brier"]}, debiased ECE {x["ece"]} (exactly right probabilities stay under {x["chance"]} in 95 % of draws).

**In another population.** These posts are 48 % high risk; a public stream is not. With the same rates among high and among low posts (here both from people in distress), of the posts called high so many per cent are (PPV), and of those surely called low so many are (NPV):

{population(f, "share of high risk")}

**Evidence.** Deletion test (`benchmarks/deletion.py`, {e["posts"]} real posts, which the shipped weights were trained on; the evidence deleted and masked, against the mean of 20 random span sets of the same lengths): the label falls further, both ways, for all of a post's labels in {e["suicide_risk"]} of the posts called high, {e["cognitive_distortion"]} of those with a distortion, {e["cognitive_pathway"]} of those with a pathway label. On {u["posts"]} invented posts that it never saw (contrast pairs kept out, minimal pairs): {u["suicide_risk"]}, {u["cognitive_distortion"]}, {u["cognitive_pathway"]}.

**Speed.** One run, one thread, evidence and all tasks on, on a machine without VNNI (`benchmarks/speed.py`): {s["ratio"]} a BERT-base-size encoder in the same runtime at its fastest precision. Peak memory of the whole command by number of posts: {s["sizes"]}. Cold start {s["cold"]} s there.
"""


def chinese(f: dict[str, Any]) -> str:
    x, e, u, s = common(f), deletion("deletion"), deletion("deletion-unseen"), speed()
    return f"""{table(f, "zh")}

**确定与不确定。** 在折外预测中，未弃权的高风险帖子里有 {x["miss"]} 被判为低（目标 10%），覆盖率 {x["coverage"]}。校准斜率 {x["slope"]}，截距 {x["intercept"]}，Brier {x["brier"]}，去偏 ECE {x["ece"]}（完全正确的概率在 95% 的抽样中低于 {x["chance"]}）。

**换一个人群。** 这批帖子 48% 为高风险，公开信息流远不是这样。若高、低两类帖子内部的比率不变（这里两类都出自痛苦中的人），阳性预测值与（确定判低的）阴性预测值为（%）：

{population(f, "高风险比例")}

**依据。** 删除检验（`benchmarks/deletion.py`，{e["posts"]} 条真实帖子，都在训练数据之内；删去与遮住依据，与 20 组同样长度的随机片段的均值相比）：判为高风险的帖子中 {e["suicide_risk"]}、有认知歪曲的帖子中 {e["cognitive_distortion"]}、有认知路径标签的帖子中 {e["cognitive_pathway"]}，其全部标签在两种方式下都下降得更多。在 {u["posts"]} 条从未见过的自写帖子（留出的对照对与最小对立对）上：{u["suicide_risk"]}、{u["cognitive_distortion"]}、{u["cognitive_pathway"]}。

**速度。** 单线程、含依据、全部任务，在一台没有 VNNI 的机器上一次测得（`benchmarks/speed.py`）：是同一运行时下 BERT-base 规模编码器（取其最快精度）的 {s["ratio"]}。整条命令的峰值内存（按帖子数）：{s["sizes"]}；冷启动 {s["cold"]} 秒。
"""


def dataset(lang: str) -> str:
    """What `benchmarks/dataset.py` found."""
    d = load("dataset")
    by_task = {t: sum(n.values()) for t, n in d["tasks"].items()}
    total, teachers = sum(d["rows"].values()), {t.split(" ")[0]: sum(n.values()) for t, n in d["teachers"].items()}
    parts = [
        f"{total:,}", f"{by_task['suicide_risk']:,}", f"{by_task['cognitive_distortion']:,}",
        f"{by_task['cognitive_pathway']:,}", f"{by_task['pathway_summary']:,}",
    ]  # fmt: skip
    minutes, cpu = d["seconds"] / 60, d["cpu_seconds"] / 60
    if lang == "en":
        return (
            f"On the training side of the public sets with the recipe above: **{parts[0]} rows** ({parts[1]} suicide risk, "
            f"{parts[2]} distortions, {parts[3]} pathways and {parts[4]} summaries; {d['rows']['train']:,} / "
            f"{d['rows']['validation']:,} / {d['rows']['test']:,}), {teachers['existing']:,} with the explanation that came "
            f"with the post, {teachers['offline']:,} by the offline teacher. {d['quotes_bad']} of {d['quotes']:,} quotes and "
            f"{d['evidence_wrong']} of {d['evidence']:,} evidence spans are not in their post; {d['skeleton_share']:.1%} of "
            f"the explanations share a skeleton; {d['overlaps_before']} overlaps between sets and parts before, "
            f"{d['overlaps_after']} between splits after. {minutes:.1f} minutes on {d['cores']} cores "
            f"(load {d['load_at_start']}), {cpu:.1f} minutes of processor time, {d['peak_mb']} MB "
            "(`benchmarks/dataset.py`). The explanations are *not rated* by people.\n"
        )
    return (
        f"在公开数据集的训练部分上，用上面的配方：**{parts[0]} 行**（自杀风险 {parts[1]}，认知歪曲 {parts[2]}，认知路径 {parts[3]}，"
        f"路径摘要 {parts[4]}；训练 / 验证 / 测试 {d['rows']['train']:,} / {d['rows']['validation']:,} / {d['rows']['test']:,}），"
        f"其中 {teachers['existing']:,} 行用随帖发布的说明，{teachers['offline']:,} 行由离线教师撰写。{d['quotes']:,} 处引文中 "
        f"{d['quotes_bad']} 处、{d['evidence']:,} 处证据中 {d['evidence_wrong']} 处不见于原帖；{d['skeleton_share']:.1%} 的说明与别的行"
        f"共用骨架；各数据集与各部分之间原有重叠 {d['overlaps_before']} 处，构建后各部分之间 {d['overlaps_after']} 处。"
        f"{d['cores']} 核（开始时负载 {d['load_at_start']}）用时 {minutes:.1f} 分钟，处理器时间 {cpu:.1f} 分钟，"
        f"内存 {d['peak_mb']} MB（`benchmarks/dataset.py`）。说明*未经人工评分*。\n"
    )


def written(text: str, name: str, block: str) -> str:
    opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = text.split(opening, 1)
    return before + opening + block + closing + rest.split(closing, 1)[1]


def main() -> int:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    stale = 0
    for name, lang, block in (("README.md", "en", english(figures)), ("README.zh-CN.md", "zh", chinese(figures))):
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = written(written(old, FIGURES_AT, block), DATASET_AT, dataset(lang))
        stale += old != new
        if "--check" not in sys.argv:
            path.write_text(new, encoding="utf-8")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    raise SystemExit(main())
