"""Reading a recipe, whatever it makes: one short TOML, unknown keys are errors, and all errors are said at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mentalglm.errors import UserError

M = TypeVar("M", bound=BaseModel)


def message(error: Any) -> str:
    """The words of one of pydantic's errors."""
    return error["msg"].removeprefix("Value error, ")


def read(path: Path, model: type[M], example: str, said: Callable[[Any], str] = message) -> M:
    """The recipe at `path`. example: a recipe of this kind, for who named none. said: words for one of its errors.
    Raises UserError that lists everything wrong with it."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"no recipe at {path}", f"name a file such as {example}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}", "mend that line") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {said(e)}" for e in error.errors())
        raise UserError(f"{path}: {wrong}", "mend these keys") from None
