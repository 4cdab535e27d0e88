"""`croissant.json`: the dataset described for machines (Croissant 1.1) with its responsible-AI fields (Croissant RAI 1.0).

Records are read from the Parquet files, which know their types. Nothing in it depends on when or where it was written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mentalglm import runs

from . import card
from .counts import Counts, task_order
from .fields import Field, Fields
from .meta import Meta
from .rows import SPLITS

CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]

# As the specification prints it; a reader warns of any other.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"str": "sc:Text", "int": "sc:Integer", "bool": "sc:Boolean", "strs": "sc:Text"}
_FORMATS = {".jsonl": "application/jsonlines", ".parquet": "application/x-parquet", ".json": "application/json",
            ".csv": "text/csv"}  # fmt: skip
_SPLIT_URLS = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit", "test": "cr:TestSplit"}


def write(folder: Path, fields: Fields, counts: Counts, meta: Meta, variant: card.Variant = "full") -> dict[str, Any]:
    """The JSON-LD of the dataset in `folder`, whose data files are there already: they are hashed."""
    present = [split for split in SPLITS if counts.rows[split]]
    sources = card.sources(counts, meta)
    licences = sorted({source.licence for source in sources}) or ["none stated"]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": {"en": meta.name},
        "description": {"en": _description(counts, variant)},
        "alternateName": "C-IMHI-style instruction dataset",
        "version": meta.version,
        "datePublished": meta.date.isoformat(),
        **({"url": meta.url} if meta.url else {}),
        "license": licences,
        "inLanguage": list(counts.languages),
        "creator": {"@type": "sc:Organization", "name": {"en": "The mentalglm authors (not the authors of MentalGLM)"}},
        "keywords": ["mental health", "suicide risk", "cognitive distortion", "explanations", "instruction tuning"],
        "citeAs": f"Follows the tasks of Zhai et al., MentalGLM Series, EMNLP 2025, {card.PAPER}; not by its authors.",
        "isLiveDataset": False,
        **_responsible(counts, meta, variant),
        "distribution": [_file(folder, name) for name in _data_files(folder, present, variant)],
        "recordSet": [_splits(present), *(_records(split, fields) for split in present)] if present else [],
    }


def _description(counts: Counts, variant: card.Variant) -> str:
    tasks = ", ".join(f"{name} ({counts.tasks[name].total()})" for name in task_order(counts.tasks))
    posts = "Texts of the posts and quotes of them are taken out. " if variant == "stripped" else ""
    return (
        f"{counts.total} instructions with evidence and explanations on social-media posts: {tasks or 'none'}. {posts}"
        "C-IMHI-style, not by the paper's authors. Research only; no diagnosis."
    )


def _responsible(counts: Counts, meta: Meta, variant: card.Variant) -> dict[str, Any]:
    sources = card.sources(counts, meta)
    synthetic = [source.name for source in sources if source.synthetic]
    named = "; ".join(f"{s.title or s.name} ({s.licence})" for s in sources) or "none"
    tools = [f"{t.name}{f', sent to {t.recipient} ({t.country})' if t.recipient else ', on this machine'}"
             for t in meta.teachers] or sorted(counts.teachers)  # fmt: skip
    reviewed = (
        f"{counts.reviewed} of {counts.total} rows carry an expert's verdict; the others are not rated by people."
        if counts.reviewed
        else "Explanations are not rated by people."
    )
    return {
        "rai:dataCollection": f"Posts and labels are those of published research sets: {named}. Nothing was collected "
        "anew from any platform."
        + (f" Synthetic, written and reviewed by language models, no clinician: {', '.join(synthetic)}."
           if synthetic else ""),
        "rai:dataCollectionType": ["Secondary Data Analysis"] + (["Synthetic data"] if synthetic else []),
        "rai:dataCollectionMissingData": "Rows that failed a check stand in dropped.jsonl with the reason: "
        + (", ".join(f"{reason} {n}" for reason, n in sorted(counts.dropped.items())) or "none") + ".",
        "rai:dataPreprocessingProtocol": [said.en for said in meta.splits]
        or ["One split per content key over all sources and tasks."],
        "rai:dataAnnotationProtocol": [
            "Labels are those of the sets' own annotators. Explanations and evidence were written by the teachers named "
            "under machineAnnotationTools and kept where every check passed.",
            *(check.en for check in meta.checks),
        ],
        "rai:dataAnnotationPlatform": [meta.software],
        "rai:dataAnnotationAnalysis": [*(f"{figure.en}: {figure.value}" for figure in meta.figures), reviewed],
        "rai:annotationsPerItem": "One label set per post and task as published; one explanation. "
        "Where sources differ, `disagrees` says how.",
        "rai:annotatorDemographics": ["Not known: see the papers of the sources."],
        "rai:machineAnnotationTools": tools or ["none"],
        "rai:dataBiases": [
            "Posts are from few places on few platforms, of people who wrote there; shares of labels are those of the "
            "sets and of no population.",
            "Labels are from few annotators. Explanations written by a machine repeat its habits, and refusals of a "
            "teacher are not random.",
        ],
        "rai:dataUseCases": [
            "Research: training and testing models that explain what they read in a post, for people who judge for "
            "themselves. Not for diagnosis, and not for acting on single persons.",
        ],
        "rai:dataLimitations": [
            "`low` means that no method or plan is seen; it is not 'no risk'. Levels are an annotation scale, not a "
            "clinical one.",
            "A post is read alone: nothing is known of its author, its thread or what came after.",
            reviewed,
        ],
        "rai:dataSocialImpact": "It can help people who support others to see what a post says and why. Misused, it "
        "would watch or sort people in distress: this is not permitted.",
        "rai:personalSensitiveInformation": [
            "Posts of people in distress, on suicide and mental health. Names and numbers may still stand in them; "
            "authors could be found by searching for the wording, which is not permitted."
            if variant == "full"
            else "The posts are taken out. Labels and offsets on suicide and mental health remain, under hashes of the "
            "posts: whoever holds a post can tell that it is in the set.",
        ],
        "rai:dataReleaseMaintenancePlan": "Versioned; rows are taken out on request"
        + (f" to {meta.contact}." if meta.contact else ", by their key."),
    }  # fmt: skip


def _data_files(folder: Path, present: list[str], variant: card.Variant) -> list[str]:
    patterns = ["{}.jsonl", "parquet/{}.parquet"]
    if variant == "full":
        patterns += ["messages/{}.jsonl", "alpaca/{}.json", "alpaca/{}.jsonl", "imhi/{}.csv", "imhi/{}.jsonl"]
    return [pattern.format(split) for pattern in patterns for split in present]


def _file(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": {"en": name},
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": _FORMATS[path.suffix],
        "sha256": runs.file_hash(path),
    }


def _splits(present: list[str]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": {"en": "splits"},
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": "splits/name", "name": {"en": "name"}, "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "splits/url", "name": {"en": "url"}, "dataType": "sc:URL"},
        ],
        "data": [{"splits/name": split, "splits/url": _SPLIT_URLS[split]} for split in present],
    }


def _records(split: str, fields: Fields) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": {"en": split},
        "description": {"en": f"The rows of {split}."},
        "key": {"@id": f"{split}/id"},
        "field": [_field(split, name, field) for name, field in fields.items()],
    }


def _field(split: str, name: str, field: Field, column: str | None = None) -> dict[str, Any]:
    """`column`: that of an object which `name` is a part of."""
    out: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{split}/{column}/{name}" if column else f"{split}/{name}",
        "name": {"en": name},
        "description": {"en": field.en},
    }
    if field.kind in ("strs", "objects"):
        out |= {"isArray": True, "arrayShape": "-1"}
    if field.parts is not None:
        return out | {"subField": [_field(split, part, of, name) for part, of in field.parts.items()]}
    source: dict[str, Any] = {
        "fileObject": {"@id": f"parquet/{split}.parquet"},
        "extract": {"column": column or name},
    }
    if column:
        source["transform"] = {"jsonPath": name}
    return out | {"dataType": _TYPES[field.kind], "source": source}
