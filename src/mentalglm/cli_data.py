"""The verbs around datasets: `data list|check|fetch`, `build`, `publish`. They are thin, as those of `cli`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from mentalglm.errors import UserError
from mentalglm.say import say

From = Annotated[Path | None, Parameter(name="--from")]
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]

data = App(name="data", help="List, check and fetch the published sets.", help_format="plaintext")


def source_folder(given: Path | None) -> Path | None:
    """The folder of source files: the one given, else the one that the environment names."""
    return given or (Path(os.environ["MENTALGLM_DATA"]) if os.environ.get("MENTALGLM_DATA") else None)


@data.command(name="list")
def list_(*, from_: From = None) -> int:
    """List the sets that can be built from, and which of them a folder has.

    Parameters
    ----------
    from_
        The folder with the source files; without it MENTALGLM_DATA.
    """
    from mentalglm.sources import listing

    for line in listing.list_lines(source_folder(from_)):
        print(line)
    return 0


@data.command
def check(*sets: Annotated[str, Parameter(name="SET")], from_: From = None) -> int:
    """Compare files with what is known of them: rows, hashes, encoding, labels. Exit code 1 where something differs.

    Parameters
    ----------
    sets
        Sets such as sos_hl_1k; without one every set that the folder has.
    from_
        The folder with the source files; without it MENTALGLM_DATA.
    """
    from mentalglm.sources import listing

    lines, ok = listing.check_lines(sets, source_folder(from_))
    for line in lines:
        print(line)
    return 0 if ok else 1


@data.command
def fetch(*sets: Annotated[str, Parameter(name="SET")], out: Path = Path("data"), mirror: str | None = None) -> int:
    """Fetch sets from where their authors publish them; a transfer that stopped goes on.

    Parameters
    ----------
    sets
        Sets such as sos_hl_1k; `mentalglm data list` names them.
    out
        The folder that they go into.
    mirror
        A base address in place of the authors' host, or one with {repository}, {commit} and {path}.
    """
    from mentalglm.sources import catalogue
    from mentalglm.sources import fetch as work

    if not sets:
        raise UserError("no set is named", "name one: mentalglm data fetch sos_hl_1k; `mentalglm data list` names them")
    for source in [catalogue.load(key) for key in sets]:
        for done in work.fetch(source, out, mirror, say):
            print(f"{source.key}: {done.path} ({done.state})")
    return 0


def build(
    recipe: Path | None = None,
    *,
    out: Path | None = None,
    from_: From = None,
    verdicts: Path | None = None,
    journal: Path | None = None,
    yes: Flag = False,
    purge: Path | None = None,
) -> int:
    """Build an instruction dataset with explanations from published sets.

    Parameters
    ----------
    recipe
        A recipe, such as recipes/c_imhi.toml; its first line is the command that runs it.
    out
        The dataset's folder; without it runs/NAME-HASH.
    from_
        The folder with the source files; without it MENTALGLM_DATA. `mentalglm data` lists and fetches them.
    verdicts
        What experts said of an earlier build, one JSON a line.
    journal
        A folder that keeps a remote teacher's answers, for several builds; without it the dataset's own.
    yes
        Posts may be sent to the remote teacher that the recipe names.
    purge
        Delete the journal in this dataset's folder (it holds posts and answers), and do nothing else.
    """
    from mentalglm import build as work

    if purge is not None:
        print(f"{work.purge(purge)} answers deleted from the journal")
        return 0
    if recipe is None:
        raise UserError("there is no recipe", "name one: mentalglm build recipes/c_imhi.toml --from FOLDER")
    return work.command(recipe, out, source_folder(from_), verdicts, journal, yes, say)


def publish(
    dataset: Path | None = None, *, out: Path, restore: Path | None = None, from_: From = None, overwrite: Flag = False
) -> int:
    """Write a dataset without its posts, to be published; or put the posts back, for who holds them.

    Parameters
    ----------
    dataset
        The folder of a dataset that `build` wrote.
    out
        Where the stripped, or the restored, dataset goes.
    restore
        A stripped dataset: put the posts of --from back into it.
    from_
        The folder with the source files; without it MENTALGLM_DATA.
    overwrite
        Replace what is in --out.
    """
    from mentalglm import publish as work

    if (dataset is None) == (restore is None):
        raise UserError(
            "give a dataset to strip, or --restore with a stripped one", "mentalglm publish DATASET --out DIR"
        )
    if dataset is not None:
        counts = work.strip(dataset, out, overwrite)
        say(f"{counts.total:,} rows without their posts in {out}; leave provenance.json out when you publish it")
        return 0
    assert restore is not None
    from mentalglm.build.export import meta
    from mentalglm.publish.posts import held

    names = [s.name for s in meta.read(restore).sources]
    done = work.restore(restore, held(names, source_folder(from_)), out, overwrite)
    say(f"{done.counts.total:,} rows restored, {done.missing:,} posts not held, {done.other_text:,} in another wording")
    return 1 if done.missing or done.other_text else 0
