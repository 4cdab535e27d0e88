"""The dataset card, in English and Chinese, made from what was counted and from the meta. Same rows, same bytes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mentalglm import resources, tasks
from mentalglm.tasks import Lang

from .counts import NONE, Counts, task_order
from .fields import Fields, yaml_features
from .meta import Meta, Source
from .rows import IMHI, SPLITS, SUMMARY

if TYPE_CHECKING:
    from jinja2 import Environment

Variant = Literal["full", "stripped"]

PAPER = "https://arxiv.org/abs/2410.10323"
STYLES = ("alpaca", "imhi", "messages")
RESTORE = "mentalglm publish --restore STRIPPED --from FOLDER --out DIR"

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_NO_LABEL = {"en": "(none)", "zh": "（无）"}
_KINDS = {
    "en": {"str": "text", "int": "integer", "bool": "boolean", "strs": "list of texts", "object": "object",
           "objects": "list of objects"},
    "zh": {"str": "文本", "int": "整数", "bool": "布尔", "strs": "文本列表", "object": "对象", "objects": "对象列表"},
}  # fmt: skip
_SUMMARY_NAMES = {"en": "Pathway summary (derived)", "zh": "认知路径摘要（派生）"}


def write(lang: Lang, fields: Fields, counts: Counts, meta: Meta, variant: Variant = "full") -> str:
    """Markdown with the front matter of the Hugging Face Hub, from which `load_dataset(DIR)` takes files and types."""
    name = "README.md" if lang == "en" else "README.zh-CN.md"
    present = [split for split in SPLITS if counts.rows[split]]
    return (
        _environment()
        .get_template(f"{name}.j2")
        .render(
            meta=meta,
            counts=counts,
            fields=fields,
            kinds=_KINDS[lang],
            variant=variant,
            head=_head(fields, counts, meta, present, variant),
            splits=present,
            tasks=[(name, task_title(name, lang)) for name in task_order(counts.tasks)],
            labels={name: _labels(counts, name, lang) for name in counts.tasks},
            sources=sources(counts, meta),
            crisis=resources.crisis(lang),
            paper=PAPER,
            restore=RESTORE,
        )
    )


def task_title(name: str, lang: Lang) -> str:
    """A name for people."""
    if name in tasks.NAMES:
        return tasks.load(name).title(lang)
    if name == SUMMARY:
        return _SUMMARY_NAMES[lang]
    return f"IMHI {name.removeprefix(IMHI)}" if name.startswith(IMHI) else name


def sources(counts: Counts, meta: Meta) -> list[Source]:
    """The sources that stand on rows, by name; one that the meta does not know is listed as such."""
    known = {source.name: source for source in meta.sources}
    return [
        known.get(name)
        or Source(
            name=name,
            title=name,
            licence="not known",
            note_en="Nothing is known of this source here.",
            note_zh="此处没有关于该来源的信息。",
        )
        for name in sorted(counts.sources)
    ]


def size(total: int) -> str:
    """The Hub's size category."""
    return next((name for limit, name in _SIZES if total < limit), "n>1M")


def _labels(counts: Counts, name: str, lang: Lang) -> list[tuple[str, str, dict[str, int]]]:
    """(key, name, rows by split) of each label of a task."""
    out = []
    for key in counts.label_order(name):
        shown = tasks.load(name).label(key).name(lang) if name in tasks.NAMES and key != NONE else ""
        rows = counts.labels[name].get(key, {})
        out.append((key or _NO_LABEL[lang], shown, {split: rows.get(split, 0) for split in SPLITS}))
    return out


def _head(fields: Fields, counts: Counts, meta: Meta, present: list[str], variant: Variant) -> str:
    """The front matter. Every value that is not ours is written as a JSON string, which is YAML too."""
    lines = [
        f"pretty_name: {json.dumps(meta.name, ensure_ascii=False)}",
        "language:",
        *(f"- {lang}" for lang in counts.languages),
        "license: other",
        "license_name: mixed-see-card",
        "license_link: README.md",
        "task_categories:",
        "- text-classification",
        "- text-generation",
        "annotations_creators:",
        "- expert-generated",
        "- machine-generated",
        "size_categories:",
        f"- {size(counts.total)}",
        "tags:",
        *(f"- {tag}" for tag in ("mental-health", "explanations", "instruction-tuning", "croissant")),
        "configs:",
    ]
    # JSON alone: one repository has one reader for all its configurations, and Parquet is another.
    configs = [("default", "{}.jsonl")]
    if variant == "full":
        configs += [(style, f"{style}/{{}}.jsonl") for style in STYLES]
    for name, pattern in configs if present else []:
        lines += [f"- config_name: {name}", *(["  default: true"] if name == "default" else []), "  data_files:"]
        for split in present:
            lines += [f"  - split: {split}", f"    path: {pattern.format(split)}"]
    if not present:
        lines[-1] = "configs: []"
    lines += ["dataset_info:", "- config_name: default", "  features:", yaml_features(fields)]
    return "\n".join(lines)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # Markdown; what is not ours goes through `cell`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(cell=_cell)
    return environment


def _cell(value: Any) -> str:
    """Text that can stand in a cell of a table or in a line."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
