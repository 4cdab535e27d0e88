"""`mentalglm tasks`: the tasks with their labels and definitions."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence

from mentalglm.display import LOW, Both
from mentalglm.tasks import Lang, Task

KINDS = {
    "single": Both("每帖一个标签", "one label a post"),
    "multi": Both("每帖零到多个标签", "none, one or several labels a post"),
    "sentence": Both("每句零到多个标签", "none, one or several labels a sentence"),
}


def print_json(tasks: Sequence[Task]) -> None:
    """The tasks as they are kept, one JSON array."""
    print(json.dumps([dataclasses.asdict(task) for task in tasks], ensure_ascii=False, indent=1))


def print_tasks(tasks: Sequence[Task], lang: Lang) -> None:
    """For people: in a terminal in columns that fit it, into a pipe as plain text."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    from mentalglm.flow import Flow

    console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 120)
    for task in tasks:
        console.print(Rule(Text(f"{task.zh}  {task.en}", style="bold"), align="left", style="dim"))
        console.print(Text(f"{task.name} · {KINDS[task.kind].at(lang)} · {task.version}", style="dim"))
        for line in (task.about_zh, task.population_zh) if lang == "zh" else (task.about_en, task.population_en):
            console.print(Flow(line))
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 1, 0))
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        for label in task.labels:
            name = Both(*LOW) if (task.name, label.key) == ("suicide_risk", "low") else Both(label.zh, label.en)
            indent = "  " if label.parent else ""
            head = Text(f"{indent}{name.zh.split('（')[0]}\n", style="bold").append(f"{indent}{label.key}", style="dim")
            body = Text(name.en, style="bold").append(f"\n{label.definition(lang)}", style="not bold")
            if unlike := label.unlike(lang):
                body.append(f"\n{unlike}", style="dim not bold")
            table.add_row(head, Flow(body))
        console.print(Padding(table, (1, 0, 0, 0)))
        if task.levels:
            title = Both(
                "表达强度：标注量表，非临床量表", "Level of expression: an annotation scale, not a clinical one"
            )
            console.print(Text(title.at(lang), style="bold"))
            for level in task.levels:
                console.print(Text(f"{level.key:>3}  ", style="dim").append(level.name(lang), style="not dim"))
            console.print()
