"""The teachers that a recipe names, in its order, and what they need before they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from mentalglm import guideline, tasks
from mentalglm.build.recipe import Recipe
from mentalglm.build.teach import bank
from mentalglm.build.teach.local import Existing, Offline
from mentalglm.build.teach.remote import RemoteTeacher
from mentalglm.build.teach.teacher import Teacher
from mentalglm.errors import UserError
from mentalglm.models.mini import Mini


def teachers(recipe: Recipe, folder: Path | None, agreed: bool) -> list[Teacher]:
    """Raises UserError where posts would leave this machine and nobody has agreed to it."""
    settings = recipe.teach.remote
    if "remote" in recipe.teach.teachers and settings is not None and not settings.local and not agreed:
        raise UserError(
            f"the posts would be sent to {settings.recipient}, which this machine does not control",
            "if you may do that, say so once with --yes; the offline teacher sends nothing",
        )
    mini = Mini() if {"offline", "existing"} & set(recipe.teach.teachers) else None
    made: list[Teacher] = []
    for name in recipe.teach.teachers:
        if name == "remote":
            made.append(_remote(recipe, folder))
        else:
            made.append((Offline if name == "offline" else Existing)(mini))
    return made


def _remote(recipe: Recipe, folder: Path | None) -> RemoteTeacher:
    assert recipe.teach.remote is not None  # the recipe has been checked
    own = recipe.teach.bank
    place = None if own is None else (folder or Path(".")) / own
    return RemoteTeacher(
        recipe.teach.remote,
        guidelines={t: guideline.for_prompt(t) for t in tasks.NAMES},
        examples={t: bank.chosen(t, recipe.teach.examples, place) for t in tasks.NAMES if t in recipe.tasks},
    )


def open_journals(made: Sequence[Teacher], folder: Path, stack: ExitStack) -> None:
    """Gives every remote teacher the journal in `folder`, for as long as `stack` is open."""
    from mentalglm.build.journal import ANSWERS, Journal

    asking = [t for t in made if isinstance(t, RemoteTeacher)]
    if asking:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        journal = stack.enter_context(Journal.open(folder / ANSWERS))
        for teacher in asking:
            teacher.use(journal)
