"""Building an instruction dataset: `mentalglm build RECIPE`. The heavy imports stay inside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def command(
    recipe: Path,
    out: Path | None = None,
    from_: Path | None = None,
    verdicts: Path | None = None,
    journal: Path | None = None,
    yes: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> int:
    """Builds what `recipe` says into the folder `out` (without it `runs/NAME-HASH`) and returns the exit code.

    from_: the folder with the source files. verdicts: what experts said of an earlier build. journal: a
    folder that keeps a remote teacher's answers, in place of the dataset's own. yes: posts may go to the
    remote teacher that the recipe names. Raises UserError and MissingError (see pipeline.build).
    """
    from mentalglm.build import pipeline, show
    from mentalglm.build.recipe import read

    chosen = read(recipe)
    with show.progress() as progress:
        run = pipeline.build(
            chosen, from_, out, verdicts=verdicts, journal=journal, agreed=yes, say=say, progress=progress
        )
    if run.done:
        say(f"{run.folder} holds this very dataset, finished")
        return 0
    say(f"done: {run.folder}; read its README.md, and check it with: mentalglm verify {run.folder}")
    return 0


def purge(folder: Path) -> int:
    """Deletes the journal of a dataset's folder, or a journal folder itself: it holds posts and answers, which are
    overwritten first. Returns how many answers went. A build at work there is a UserError."""
    from mentalglm.build.journal import ANSWERS, Journal
    from mentalglm.build.lock import only_one
    from mentalglm.errors import UserError
    from mentalglm.runs import JOURNAL

    journal = folder if (folder / ANSWERS).is_file() else folder / JOURNAL
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "name the folder of a dataset that `mentalglm build` wrote")
    if not journal.is_dir():
        return 0
    gone = 0
    with only_one(folder):
        if (journal / ANSWERS).is_file():
            with Journal.open(journal / ANSWERS) as held:
                gone = held.purge(all=True)
        for path in sorted(journal.glob(f"{ANSWERS}*")):
            path.unlink()
    return gone
