"""What a column of a dataset is, said once: the JSON that is written, the Parquet schema, the card and the Croissant
file are all made from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow

Kind = Literal["str", "int", "bool", "strs", "object", "objects"]

_PYTHON: dict[str, type] = {"str": str, "int": int, "bool": bool, "strs": list, "object": dict, "objects": list}


@dataclass(frozen=True, slots=True)
class Field:
    """`kind`: a scalar, a list of texts (`strs`), an object or a list of objects with the fields of `parts`. `null`: may
    be null. `en` and `zh` say what stands in it."""

    kind: Kind
    en: str
    zh: str
    null: bool = False
    parts: Mapping[str, Field] | None = None


Fields = Mapping[str, Field]


def problems(row: Any, fields: Fields, where: str = "") -> list[str]:
    """What in `row` is not as `fields` say: keys that are missing, unknown or out of order, values of another type, text
    that is not Unicode (`lone_surrogate`). Never quotes a value. Empty if nothing."""
    if not isinstance(row, dict):
        return [f"{where or 'row'}: not an object"]
    if list(row) != list(fields):
        odd = sorted(set(row) ^ set(fields), key=str)
        return [f"{where or 'row'}: keys {', '.join(map(str, odd))} missing or unknown" if odd else "keys out of order"]
    found: list[str] = []
    for name, field in fields.items():
        found += _value(row[name], field, f"{where}.{name}" if where else name)
    return found


def _value(value: Any, field: Field, where: str) -> list[str]:
    if value is None:
        return [] if field.null else [f"{where}: null"]
    wanted = _PYTHON[field.kind]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return [f"{where}: {type(value).__name__} where {field.kind} is due"]
    if field.kind == "str":
        return [] if is_unicode(value) else [f"{where}: lone_surrogate"]
    if field.kind == "int":
        return [] if -(2**63) <= value < 2**63 else [f"{where}: does not fit 64 bits"]
    if field.kind == "strs":
        return [p for i, v in enumerate(value) for p in _value(v, _TEXT, f"{where}[{i}]")]
    if field.kind == "object":
        return problems(value, field.parts or {}, where)
    if field.kind == "objects":
        return [p for i, v in enumerate(value) for p in problems(v, field.parts or {}, f"{where}[{i}]")]
    return []


_TEXT = Field("str", "", "")


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: it has no half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def arrow_schema(fields: Fields) -> pyarrow.Schema:
    """The Parquet schema. Every column is nullable, as in every file that `datasets` writes."""
    import pyarrow as pa

    return pa.schema([pa.field(name, _arrow(field)) for name, field in fields.items()])


def _arrow(field: Field) -> Any:
    import pyarrow as pa

    plain = {"str": pa.string(), "int": pa.int64(), "bool": pa.bool_(), "strs": pa.list_(pa.string())}
    if field.kind in plain:
        return plain[field.kind]
    parts = pa.struct([pa.field(name, _arrow(part)) for name, part in (field.parts or {}).items()])
    return parts if field.kind == "object" else pa.list_(parts)


_YAML = {"str": "dtype: string", "int": "dtype: int64", "bool": "dtype: bool", "strs": "list: string"}


def yaml_features(fields: Fields, indent: int = 2) -> str:
    """The block under `features:` in a card of the Hugging Face Hub, from which `load_dataset(DIR)` takes the types."""
    pad = " " * indent
    lines: list[str] = []
    for name, field in fields.items():
        lines.append(f"{pad}- name: {name}")
        if field.kind in _YAML:
            lines.append(f"{pad}  {_YAML[field.kind]}")
        else:
            lines.append(f"{pad}  {'struct' if field.kind == 'object' else 'list'}:")
            lines.append(yaml_features(field.parts or {}, indent + 2))
    return "\n".join(lines)


def learned(value: Any, field: Field, path: str) -> Iterator[str]:
    """The leaves of a column whose type a reader that infers types (pyarrow, `datasets`) learns from `value`: it learns
    nothing from a null or an empty list."""
    if value is None:
        return
    if field.kind == "object":
        for name, part in (field.parts or {}).items():
            yield from learned(value[name], part, f"{path}.{name}")
    elif field.kind == "objects":
        for item in value:
            for name, part in (field.parts or {}).items():
                yield from learned(item[name], part, f"{path}.{name}")
    elif field.kind != "strs" or value:
        yield path
