"""The card of a post in a terminal: what was found, how sure that is, and the words that say so."""

from __future__ import annotations

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mentalglm import display, resources, tasks
from mentalglm.display import Both, Shown, View, percent, visible
from mentalglm.flow import Flow
from mentalglm.schema import BadRow, Post, Record

WIDTH, BAR = 96, 24
COLOURS = {
    "high": "#e5484d",
    "unsure": "#d08700",
    "plain": "default",
    "distortion": "#7c7ff0",
    "event": "#2e95bd",
    "belief": "#7c7ff0",
    "consequence": "#cf7a34",
    "disputation": "#a56fd6",
}
MARKS = {  # the first that a word has
    "high": "bold underline #ffffff on #a8323a",
    "wish": "bold underline #ffffff on #8a5c00",
    "distortion": "bold underline #ffffff on #4a4bb0",
    "pain": "underline",
}
LEVEL = Both("表达强度", "level of expression")
SCALE = Both("表达强度是标注量表，非临床量表。", "The level of expression is an annotation scale, not a clinical one.")
SCOPE = Both("概率的适用范围：", "What the probabilities hold for: ")
FAILED = Both("没有分析：", "Not analysed: ")
PROBABILITY = Both("的概率", ", probability")
LEANING = Both("倾向：", "leaning: ")
HELP = Both("求助：", "Help: ")
BARE = ("empty_text", "missing_text")  # errors whose code says all


class Cards:
    """A sink that prints one card a record. What need not be said twice stands in the first card that needs it."""

    def __init__(self, lang: str = "zh", console: Console | None = None) -> None:
        self.lang = lang
        self.console = console or Console(highlight=False, emoji=False, markup=False)
        self._scope_said = self._help_said = False

    def write(self, record: Record, post: Post | BadRow) -> None:
        analyses = record.get("analyses")
        needs_help = analyses is not None and resources.needs_crisis(analyses)
        whole = card(record, post, self.lang, scope=not self._scope_said, help=needs_help, all_help=not self._help_said)
        self.console.print(whole, width=min(self.console.width, WIDTH))
        self._scope_said |= analyses is not None
        self._help_said |= needs_help


def card(
    record: Record,
    post: Post | BadRow,
    lang: str = "zh",
    *,
    scope: bool = True,
    help: bool = False,
    all_help: bool = True,
) -> RenderableType:
    """The card of one record.

    scope: whether it says for whom the probabilities hold; help, all_help: whether the crisis resources stand in it,
    and all of them or the first numbers.
    """
    text = post.text if isinstance(post, Post) else ""
    parts: list[RenderableType]
    if record["status"] == "error":
        error = record["error"]
        said = display.error_words(error)
        parts = [Flow(visible(text))] if text.strip() else []
        parts.append(Flow(f"{FAILED.at(lang)}{said.at(lang)} ({visible(error['code'])})", COLOURS["unsure"]))
        if lang == "zh" and error["code"] not in BARE:
            parts.append(Flow(said.en, "dim"))  # where, or what went wrong
        return _panel(record, Group(*parts), COLOURS["unsure"])
    views = display.views(record, text)
    parts = [Flow(_marked(record, text))]
    for view in views:
        parts += [Text(), *_task(view, lang)]
    if help:
        parts += [Text(), *(_help(lang) if all_help else [_first_numbers(lang)])]
    if scope:
        parts += [Text(), Flow(Both(*display.NOTICE).at(lang), "dim")]
        if any(view.task == "suicide_risk" for view in views):
            task = tasks.load("suicide_risk")
            parts.append(Flow(f"{SCOPE.at(lang)}{Both(task.population_zh, task.population_en).at(lang)}", "dim"))
            parts.append(Flow(SCALE.at(lang), "dim"))
    high, unsure = any(view.tone == "high" for view in views), any(view.abstained for view in views)
    return _panel(record, Group(*parts), COLOURS["high"] if high else COLOURS["unsure"] if unsure else "bright_black")


def _panel(record: Record, body: RenderableType, border: str) -> Panel:
    model = record.get("model")
    foot = Text(f"{model['name']} {model['revision'][:8]}", style="dim") if model else None
    title = Text(f" {visible(record['id'])} ", style="bold")
    return Panel(
        body,
        title=title,
        title_align="left",
        subtitle=foot,
        subtitle_align="right",
        box=box.ROUNDED,
        border_style=border,
        padding=(1, 2),
    )


def _marked(record: Record, text: str) -> Text:
    """The post with its evidence highlighted."""
    out = Text()
    for piece in display.pieces(record, text):
        tones = {mark.tone for mark in piece.marks}
        out.append(piece.text, style=next((style for tone, style in MARKS.items() if tone in tones), ""))
    return out


def _task(view: View, lang: str) -> list[RenderableType]:
    head = Text(view.title.at(lang), style="bold")
    head.append("  ")
    if view.abstained:
        head.append(f" {Both(*display.NOT_SURE).at(lang)} ", style=f"reverse {COLOURS['unsure']}")
        head.append("  ")
    if view.error:
        head.append(view.headline.at(lang), style=COLOURS["unsure"])
        return [Flow(head), Padding(Flow(view.error, "dim"), (0, 0, 0, 2))]
    body: list[RenderableType] = []
    if view.single or not view.held:
        leaning = LEANING.at(lang) if view.abstained and view.single else ""
        tone = "" if view.tone in ("plain", "unsure") else COLOURS[view.tone]
        head.append(f"{leaning}{view.headline.at(lang)}", style=tone or "not bold")
    if bars := _bars(view, lang):
        body.append(bars)
    for sentence in view.sentences:
        if sentence.labels:
            for label in sentence.labels:
                body.append(Flow(f"{label.name.at(lang)} {percent(label.probability)}", COLOURS[label.tone]))
            body.append(Padding(Flow(sentence.text.strip()), (0, 0, 0, 2)))
    if view.facts:
        facts = [Text(fact.value.at(lang), style=COLOURS["unsure"] if fact.alert else "") for fact in view.facts]
        body.append(Flow(Text(" · ", style="dim").join(facts)))
    if view.explanation:
        body.append(Flow(view.explanation))
    body += [Text(f"* {note.at(lang)}", style="dim") for note in view.notes]
    return [head, Padding(Group(*body), (0, 0, 0, 2))]


def _bars(view: View, lang: str) -> Table | None:
    """Of one label the risk; of several those that hold, or where it is not sure the likeliest that does not."""
    table = Table.grid(padding=(0, 2, 0, 0))
    shown = [*view.held, *(view.others[:1] if view.abstained else ())]
    if view.single:
        shown = [label for label in view.labels if label.key != "low"]
    for label in shown if not view.sentences else ():
        if label.probability is not None:
            name = f"{label.name.at(lang)}{PROBABILITY.at(lang) if view.single else ''}"
            share = Text(f"{percent(label.probability):>5}", style=_tone(label), no_wrap=True)
            table.add_row(Flow(name), share, Bar(label.probability, _tone(label)))
    if view.level is not None:
        tone = COLOURS["high" if view.level >= 6 else "unsure" if view.level >= 4 else "plain"]
        table.add_row(Flow(LEVEL.at(lang)), Text(f"{view.level:>2}/10", no_wrap=True), Bar(view.level / 10, tone))
    return table if table.row_count else None


def _tone(label: Shown) -> str:
    return COLOURS[label.tone] if label.holds else "dim"


class Bar:
    """A share as a line, as wide as there is room and at most BAR."""

    def __init__(self, share: float, style: str) -> None:
        self.share, self.style = share, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(BAR, options.max_width)
        full = round(self.share * width)
        yield Text("━" * full, style=self.style, end="").append("─" * (width - full), style="bright_black")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(4, options.max_width), min(BAR, options.max_width))


def _help(lang: str) -> list[RenderableType]:
    """Title, numbers and what to do for a friend."""
    crisis = resources.crisis("en" if lang == "en" else "zh")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=max(len(line.number) for line in crisis.lines))  # a number is never cut
    for line in crisis.lines:
        style = f"bold {COLOURS['high']}" if line.kind == "emergency" else "bold"
        where = Flow(f"{line.region} · {line.hours}", "dim")
        table.add_row(Text(line.number, style=style, no_wrap=True), Flow(line.name), where)
    friends = [Flow(f"· {line}") for line in crisis.friends]
    note = Flow(f"{crisis.note}{'' if lang == 'zh' else ' '}{crisis.checked}", "dim")
    body = Group(Flow(crisis.intro), table, Text(crisis.friends_title), *friends, note)
    return [Text(crisis.title, style="bold"), Padding(body, (0, 0, 0, 2))]


def _first_numbers(lang: str) -> Text:
    numbers = [line.number for line in resources.crisis("en" if lang == "en" else "zh").lines]
    return Text(HELP.at(lang), style="bold").append(" · ".join(numbers[:4]), style="bold")
