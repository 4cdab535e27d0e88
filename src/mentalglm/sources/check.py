"""What about the files in a folder is not as published: other bytes, rows missing, a wrong encoding, rows merged, labels
that nobody knows, posts that stand there twice with different labels."""

from __future__ import annotations

import codecs
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import MissingError, UserError
from ..text import content_key
from . import find, lines, pathway
from .labelled import Labelled
from .source import TIDY, Place, Rejected, Source

Kind = Literal[
    "missing",  # a file, or the whole set
    "unchecked",  # no checksum is known for it
    "bytes",  # other bytes than published
    "rows",  # other number of rows
    "truncated",
    "encoding",
    "merged_rows",
    "unreadable",  # the file as a whole
    "rejected",  # rows that cannot be used, by reason
    "labels",  # a label list that is another one
    "conflict",  # one post, two labels
    "duplicate_id",
    "personal",  # what looks like a telephone number, an address, … in a clinical record
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `wrong`: something is to be mended; else it is to be known."""

    source: str
    file: str
    kind: Kind
    message: str
    wrong: bool = True

    def __str__(self) -> str:
        return f"{self.file}: {self.message}" if self.file else self.message


class Checked(NamedTuple):
    """What a check found, and how many rows can be used and cannot."""

    findings: list[Finding]
    rows: int
    rejected: int
    places: tuple[Place, ...]


def check(source: Source, folder: str | Path | None) -> list[Finding]:
    """Everything in which the files of `source` in `folder` differ from what is expected; what is wrong first."""
    return look(source, folder).findings


def look(source: Source, folder: str | Path | None) -> Checked:
    """`check`, with the number of rows that a read gives."""
    try:
        places = find.find_form(source, folder)
    except MissingError as error:
        return Checked([Finding(source.key, "", "missing", str(error))], 0, 0, ())
    base = source.folder or Path(folder or ".")
    findings: list[Finding] = list(_absent(source, places))
    read: list[Labelled] = []
    rejected = 0
    there = [Place(f, path) for f in source.files if (path := find.locate(source, f, base)) is not None]
    for place in there:
        rows, bad, found = _file(source, place, places if place in places else (place,))
        findings += found
        if place in places:
            read += rows
            rejected += bad
    findings += _across(source, read)
    findings.sort(key=lambda f: not f.wrong)
    return Checked(findings, len(read), rejected, places)


def _absent(source: Source, places: tuple[Place, ...]) -> Iterator[Finding]:
    used = {p.file for p in places}
    forms = {f.form for f in used}
    for file in source.files:
        if file in used or file.form not in forms or file.role == "aux":
            continue
        if not any(f.part == file.part and f.form != file.form for f in used):
            yield Finding(source.key, file.path, "missing", "it is not there", wrong=file.part != "test")
    parts = {f.part for f in used}
    for part in dict.fromkeys(f.part for f in source.published if f.role == "rows" and f.part):
        of_forms = any(f.part == part and f.form in forms for f in source.files)
        if part not in parts and "" not in parts and not of_forms:
            yield Finding(source.key, "", "missing", f"the published {part} part is not there", wrong=False)


def _file(source: Source, place: Place, places: tuple[Place, ...]) -> tuple[list[Labelled], int, list[Finding]]:
    file = place.file
    out: list[Finding] = []

    def note(kind: Kind, message: str, wrong: bool = True) -> None:
        out.append(Finding(source.key, file.path, kind, message, wrong))

    size, feeds, ended, digest = _measure(place.path)
    genuine = bool(file.sha256) and digest.startswith(file.sha256)
    if file.sha256 and not genuine:
        of = f" and the {'tidy' if file.form == TIDY else 'published'} file {file.bytes}" if file.bytes else ""
        same = f"; its SHA-256 begins with {digest[: len(file.sha256)]}, not {file.sha256}"
        note("bytes", f"it is another file: it has {size} bytes{of}{same}")
        if file.bytes and size < file.bytes and not ended and (file.lines is None or feeds < file.lines):
            note("truncated", f"{file.bytes - size} bytes are missing, and its last line is not ended: it is cut off")
    if not file.sha256 and source.folder is None and not source.own:
        note("unchecked", "no checksum is known for it", wrong=False)
    if file.encoding and not genuine and (actual := _encoding(place.path)) not in (file.encoding, ""):
        note("encoding", f"it is {actual}, and {file.encoding.upper()} was expected", wrong=actual == "in no encoding")
    rows: list[Labelled] = []
    bad: list[Rejected] = []
    try:
        if file.role == "aux":
            out += _label_list(source, place) if file.form == "labels" else []
            return [], 0, out
        for row in find.rows(source, place, places):
            (bad if isinstance(row, Rejected) else rows).append(row)  # type: ignore[arg-type]
    except UserError as error:
        note("unreadable", error.message)
        return rows, len(bad), out
    if not genuine and file.rows is not None and len(rows) + len(bad) != file.rows:
        note("rows", f"it has {len(rows) + len(bad)} rows, and {file.rows} were expected")
    if (
        not genuine
        and place.path.suffix in (".tsv", ".csv")
        and file.form not in ("instruction", "completion", "table")
    ):
        out += _quotes(source, place)
    by_code: dict[str, list[Rejected]] = defaultdict(list)
    for row in bad:
        by_code[row.code].append(row)
    for code, those in by_code.items():
        shown = "; ".join(f"line {row.line}: {row.reason}" for row in those[:3])
        more = f"; and {len(those) - 3} more" if len(those) > 3 else ""
        count = f"{len(those)} row{'s' if len(those) > 1 else ''} cannot be used ({code})"
        note("rejected", f"{count}: {shown}{more}", wrong=not genuine)
    return rows, len(bad), out


def _measure(path: Path) -> tuple[int, int, bool, str]:
    """Bytes, line feeds, whether the last line is ended, SHA-256."""
    digest = hashlib.sha256()
    size = feeds = 0
    last = b""
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
            size += len(block)
            feeds += block.count(b"\n")
            last = block[-1:]
    return size, feeds, last == b"\n", digest.hexdigest()


def _encoding(path: Path) -> str:
    """`utf-8`, `gb18030`, another that a mark names, `in no encoding`; empty where only ASCII is in it."""
    data = path.read_bytes()
    if data.isascii():
        return ""
    for mark, name in ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if data.startswith(mark):
            return name
    for name in ("utf-8", "gb18030"):
        try:
            codecs.getincrementaldecoder(name)().decode(data)  # a character that the end cuts off is no foreign one
        except UnicodeDecodeError:
            continue
        return name
    return "in no encoding"


def _quotes(source: Source, place: Place) -> Iterator[Finding]:
    """A cell that opens a quotation mark and does not close it: a TSV that was read and written with csv quoting."""
    opened = [
        row.line for row in lines.tsv(place.path) for cell in row.cells if cell.startswith('"') and cell.count('"') % 2
    ]
    if opened:
        text = (
            f"{len(opened)} rows, the first on line {opened[0]}, open a quotation mark and do not close it: "
            "a program that reads quotes would merge rows, or did; they are read line by line"
        )
        yield Finding(source.key, place.file.path, "merged_rows", text, wrong=False)


def _label_list(source: Source, place: Place) -> Iterator[Finding]:
    given = {line.text.strip() for line in lines.text_lines(place.path) if line.text.strip()}
    for names, what in ((given - pathway.STRINGS.keys(), "unknown"), (pathway.STRINGS.keys() - given, "missing")):
        if names:
            shown = ", ".join(sorted(names))[:200]
            yield Finding(source.key, place.file.path, "labels", f"{what} labels: {shown}")


def _across(source: Source, rows: list[Labelled]) -> Iterator[Finding]:
    ids = Counter(row.id for row in rows)
    if repeated := [id_ for id_, n in ids.items() if n > 1]:
        yield Finding(source.key, "", "duplicate_id", f"{len(repeated)} ids stand on several rows: {_some(repeated)}")
    said: dict[tuple[str, str], dict[tuple[object, ...], str]] = defaultdict(dict)
    for row in rows:
        if row.labels is not None or row.level is not None:
            said[content_key(row.text), row.question or ""].setdefault((row.labels, row.level), row.id)
    if conflicts := ["/".join(readings.values()) for readings in said.values() if len(readings) > 1]:
        text = f"{len(conflicts)} posts stand there with different labels: {_some(conflicts)}"
        yield Finding(source.key, "", "conflict", text, wrong=False)
    if source.personal:
        yield from _personal(source, rows)


def _personal(source: Source, rows: Iterable[Labelled]) -> Iterator[Finding]:
    from ..text import mask

    kinds: Counter[str] = Counter()
    where: list[str] = []
    for row in rows:
        found = mask(row.text)[1]
        kinds.update(m.kind for m in found)
        where += [row.id] if found else []
    if where:
        what = ", ".join(f"{kind} {n}" for kind, n in kinds.most_common())
        text = f"{len(where)} texts hold what looks like personal data ({what}): {_some(where)}; de-identify them first"
        yield Finding(source.key, "", "personal", text)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
