"""What `mentalglm data list` and `data check` say, as lines; the command line prints them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import MissingError
from . import check, find
from .catalogue import SOURCES, load
from .source import TIDY, Source


class Listed(NamedTuple):
    """A set and what of it is in a folder. rows: those expected there, else of all published files (None: not known);
    here: `published`, `tidy`, both, `package`, or empty."""

    key: str
    task: str
    language: str
    rows: int | None
    here: str
    licence: str
    name: str
    about: str


def list_rows(folder: str | Path | None = None) -> list[Listed]:
    """Every set that can be named, in order."""
    return [_listed(source, folder) for source in SOURCES]


def _listed(source: Source, folder: str | Path | None) -> Listed:
    here, files = "", [f for f in source.published if f.role == "rows" and f.form == source.forms[0]]
    if source.folder is not None:
        here, files = "package", list(source.files)
    elif folder is not None:
        try:
            places = find.find_form(source, folder)
        except MissingError:
            pass
        else:
            files = [p.file for p in places if p.file.role == "rows"]
            here = "+".join(dict.fromkeys("tidy" if f.form == TIDY else "published" for f in files))
    known = [f.rows for f in files]
    total = sum(n for n in known if n is not None) if known and None not in known else None
    name = f"{source.zh} · {source.en}" if source.zh != source.en else source.en
    return Listed(source.key, source.task, source.language, total, here, source.licence, name, source.about)


def list_lines(folder: str | Path | None = None) -> list[str]:
    """A table: a head, then a line a set. Chinese stands in the last column only, so that the others align."""
    rows = list_rows(folder)
    head = ("set", "task", "lang", "rows", "here" if folder is not None else "", "licence", "name")
    cells = [
        head,
        *((r.key, r.task, r.language, f"{r.rows:,}" if r.rows else "?", r.here, r.licence, r.name) for r in rows),
    ]
    kept = [i for i in range(len(head)) if folder is not None or head[i]]
    width = {i: max(len(row[i]) for row in cells) for i in kept}
    out: list[str] = []
    for row in cells:
        shown = [row[i].rjust(width[i]) if head[i] == "rows" else row[i].ljust(width[i]) for i in kept[:-1]]
        out.append("  ".join([*shown, row[-1]]))
    out.append("")
    out.append(
        "Fetch one from its authors: mentalglm data fetch SET. Look at one: mentalglm data check SET --from FOLDER"
    )
    return out


class CheckedLines(NamedTuple):
    """Lines to print, and whether nothing has to be mended."""

    lines: list[str]
    ok: bool


def check_lines(keys: Sequence[str], folder: str | Path | None) -> CheckedLines:
    """What differs in the sets `keys` (none: in every set that `folder` has). Raises UserError for an unknown key."""
    sources = [load(key) for key in keys] or [s for s in SOURCES if _is_here(s, folder)]
    if not sources:
        raise MissingError(f"no set that we know is in {folder}", "see `mentalglm data list`")
    out: list[str] = []
    ok = True
    for source in sources:
        found = check.look(source, folder)
        wrong = any(f.wrong for f in found.findings)
        ok = ok and not wrong
        out.append(f"{source.key}: {_summary(found, wrong)}")
        out += [f"  {'!' if f.wrong else '·'} {f}" for f in found.findings]
    return CheckedLines(out, ok)


def _is_here(source: Source, folder: str | Path | None) -> bool:
    try:
        find.find_form(source, folder)
    except MissingError:
        return False
    return True


def _summary(found: check.Checked, wrong: bool) -> str:
    if not found.places:
        return "not here"
    forms = "+".join(dict.fromkeys("tidy" if p.file.form == TIDY else "published" for p in found.places))
    bad = f", {found.rejected} that cannot be used" if found.rejected else ""
    verified = all(p.file.sha256 for p in found.places)
    state = "differs" if wrong else "as expected" if verified else "readable (no checksum is known)"
    return f"{forms}, {found.rows:,} rows{bad}; {state}"
