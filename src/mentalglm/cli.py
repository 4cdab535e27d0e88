"""The command line. Every verb is thin: it reads the call, and the work is done in the module that the verb names."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import App, Parameter, validators

from mentalglm import __version__, cli_data
from mentalglm.errors import UserError
from mentalglm.say import say

START = """\
mentalglm reads Chinese social-media posts and says which labels hold, how sure it is, which words say so, and why.
For research, beside people's judgement and never instead of it; it makes no diagnosis.

Start with one of these:
  mentalglm analyze "有时候真希望睡着以后不要再醒过来。"     one post, as a card
  mentalglm analyze --input posts.csv --output report.html   a file of posts, as a page to read
  mentalglm analyze --input posts.csv --output out.jsonl     … or as records for a program
  mentalglm tasks                                            the tasks, labels and definitions
  mentalglm data list                                        the published sets that a dataset is built from

All verbs and flags: mentalglm --help, mentalglm analyze --help
"""

Lang = Literal["zh", "en"]

app = App(
    name="mentalglm",
    version=__version__,
    help="Reads Chinese posts: suicide risk, cognitive distortions, cognitive pathways. Research use only.",
    help_format="plaintext",
    result_action="return_value",
)


@app.command
def analyze(
    *texts: Annotated[str, Parameter(name="TEXT", allow_leading_hyphen=False)],
    input: Annotated[str | None, Parameter(name=["--input", "-i"], allow_leading_hyphen=True)] = None,
    output: Annotated[str | None, Parameter(name=["--output", "-o"], allow_leading_hyphen=True)] = None,
    task: Annotated[list[str] | None, Parameter(negative=())] = None,
    model: str = "mini",
    base_url: str | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
    lang: Lang = "zh",
    operating_point: str | None = None,
    prevalence: float | None = None,
    threads: int | None = None,
    resume: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    overwrite: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Analyse posts: text on the command line, a file, or standard input.

    Parameters
    ----------
    texts
        Posts to analyse. Put -- before one that begins with a hyphen.
    input
        A file of posts (.jsonl, .csv, .tsv, .parquet, .txt), or - for standard input.
    output
        Where the analyses go: .jsonl, .csv, .parquet or .html. Without it: a card per post, or JSONL into a pipe.
    task
        Only this task; may be given several times. `mentalglm tasks` lists them.
    model
        The model: mini, or the folder (or hub id) of a language model, such as `mentalglm train` makes.
    base_url
        The address of a remote model.
    text_column
        The column that holds the text, where its name does not say so.
    id_column
        The column that holds the id; without one the row's number is the id.
    lang
        The language of explanations and cards.
    operating_point
        For screening, as in recall=0.95: high risk is then said so often that it misses only that share.
    prevalence
        The share of high-risk posts where these come from, such as 0.01: the stated probabilities are
        corrected for it; which posts are called high, or not sure, stays.
    threads
        How many threads the model may use, at most one a core.
    resume
        Go on with an output that an earlier call began.
    overwrite
        Replace an output that exists.
    """
    from mentalglm import analyze as job
    from mentalglm import models, tasks
    from mentalglm.models.given import point_of

    if texts and input is not None:
        raise UserError("posts are given both as text and with --input", "give one of them")
    if not texts and input is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise UserError(
                "there is no post to analyse", 'give one: mentalglm analyze "…", or a file: --input posts.csv'
            )
        input = "-"
    names = [tasks.load(name).name for given in task or tasks.NAMES for name in given.split(",")]
    names = [name for name in tasks.NAMES if name in names]
    options = {"threads": threads, "base_url": base_url, "prevalence": prevalence, "operating_point": operating_point}
    models.check(model, **options)
    if operating_point is not None and "suicide_risk" not in names:
        raise UserError(
            "--operating-point is of the task suicide_risk, which --task leaves out", "leave out one of them"
        )
    settings = {"model": model, "tasks": names, "lang": lang, "prevalence": prevalence}
    return job.command(
        texts or job.Source(input or "-", text_column, id_column),
        lambda: models.load(model, **options),
        output,
        settings=settings | {"operating point": point_of(operating_point)},
        resume=resume,
        overwrite=overwrite,
        say=say,
    )


@app.command
def tasks(
    *names: Annotated[str, Parameter(name="NAME")],
    lang: Lang = "zh",
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """List the tasks with their labels and definitions.

    Parameters
    ----------
    names
        Only these tasks.
    lang
        The language of the definitions; keys and names are given in both.
    json
        As JSON, for a program.
    """
    from mentalglm import listing
    from mentalglm.tasks import NAMES, load

    chosen = [load(name) for name in names or NAMES]
    if json:
        listing.print_json(chosen)
    else:
        listing.print_tasks(chosen, lang)
    return 0


@app.command
def train(
    recipe: Path,
    *,
    out: Path | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    workers: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
) -> int:
    """Train a model of the series. Needs the extra `train`, which brings torch.

    Parameters
    ----------
    recipe
        A recipe, such as recipes/mini.toml; its first line is the command that runs it.
    out
        The run folder; without it runs/NAME-HASH.
    from_
        The folder with the source files; without it MENTALGLM_DATA.
    workers
        How many fits run side by side; on a processor, one a core is fastest.
    """
    from importlib.util import find_spec

    from mentalglm.errors import MissingError

    if not find_spec("torch"):
        raise MissingError("training needs torch, which is not installed", "pip install 'mentalglm[train]'")
    from mentalglm import train as work

    return work.command(recipe, out, cli_data.source_folder(from_), workers)


@app.command
def evaluate(
    *,
    task: str,
    gold: Path,
    pred: Annotated[list[str], Parameter(negative=())],
    out: Path | None = None,
    group: str | None = None,
    seed: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 0,
    samples: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 1000,
    overwrite: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Score any system's predictions against gold labels, with intervals and trivial baselines.

    Parameters
    ----------
    task
        The task, as in `mentalglm tasks`, or pathway_summary, or an English one such as imhi_dr.
    gold
        Gold labels: rows of a dataset that `build` wrote, or {"id", "labels"}; JSONL, CSV or Parquet.
    pred
        Predictions, as `analyze` writes them or {"id", "labels"}; NAME=FILE names the system, and the option may be
        given several times: then systems are compared in pairs.
    out
        The run folder; without it runs/evaluate-TASK-HASH.
    group
        A column of the gold whose rows belong together (a patient, a thread): intervals are drawn by it.
    seed
        Of the bootstrap.
    samples
        Bootstrap samples; 0 for no intervals.
    overwrite
        Replace what is in --out.
    """
    from mentalglm.evaluate.command import command

    done = command(task, gold, pred, out, seed=seed, samples=samples, group=group, overwrite=overwrite)
    for line in done.lines:
        print(line)
    return done.code


@app.command
def verify(folder: Path) -> int:
    """Check a run folder: recompute every count and hash of its manifest, and of an evaluation every score.

    Parameters
    ----------
    folder
        A run folder, or a dataset that `build` wrote.
    """
    from mentalglm import runs
    from mentalglm.build.recount import recount
    from mentalglm.evaluate.command import recompute

    problems = runs.verify(folder) or recompute(folder) or recount(folder)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{folder}: everything is as its manifest says")
    return 1 if problems else 0


app.command(cli_data.build)
app.command(cli_data.data)
app.command(cli_data.publish)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its code; an error that a person can mend is one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows "?" and goes on
    warnings.showwarning = lambda message, *_, **__: say(f"mentalglm: note: {message}")
    tokens = list(sys.argv[1:] if argv is None else argv)
    try:
        if tokens:
            code = app(tokens, exit_on_error=False, print_error=False) or 0
        else:
            print(START, end="")
            code = 0
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        say(f"mentalglm: {_wrong_call(error)}")
        code = 2
    except UserError as error:
        say(f"mentalglm: {error}")
        code = error.exit_code
    except BrokenPipeError:  # the reader of the pipe has what it wanted
        _let_go_of_output()
        code = 0
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        name = f" ({error.filename})" if error.filename else ""
        say(f"mentalglm: the system says: {error.strerror or error}{name}; mend that and run it again")
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.exit(3)
        _let_go_of_output()
        code = 3
    sys.exit(code)


def _let_go_of_output() -> None:
    """What is still buffered for an output that takes no more is dropped; else Python's own exit fails on it."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _wrong_call(error: cyclopts.CycloptsError) -> str:
    """What is wrong with the call, on one line, and what to do."""
    message = " ".join(str(error).split()).rstrip(".")
    verb = next((name for name in error.command_chain or () if name != "mentalglm"), "")
    if isinstance(error, cyclopts.UnknownCommandError):
        return f"{message}; to analyse a text write: mentalglm analyze TEXT, and mentalglm --help lists the verbs"
    if isinstance(error, cyclopts.UnknownOptionError) and verb == "analyze":
        message += "; put -- before a text that begins with a hyphen: mentalglm analyze -- TEXT"
    return f"{message}; mentalglm {verb + ' ' if verb else ''}--help shows how to call it"
