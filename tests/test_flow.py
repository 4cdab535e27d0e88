from __future__ import annotations

import io
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mentalglm.flow import Flow, breaks


def lines(text: str, width: int) -> list[str]:
    ends = [0, *breaks(text, width), len(text)]
    return [text[a:b] for a, b in pairwise(ends)]


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=200), st.integers(4, 40))
def test_nothing_is_lost_and_no_line_is_too_wide(text: str, width: int) -> None:
    out = lines(text, width)
    assert "".join(out) == text
    assert all(cell_len(line.rstrip()) <= width for line in out)


def test_closing_punctuation_begins_no_line() -> None:
    text = "今天的天气真的很好，我们一起去公园散步吧。"
    for width in range(6, 40):
        assert not any(line[0] in "，。" for line in lines(text, width) if line)


def test_words_of_other_scripts_stay_whole() -> None:
    assert lines("请拨打 010-82951332 求助", 18) == ["请拨打 ", "010-82951332 求助"]


def test_a_flow_keeps_the_styles() -> None:
    text = Text("一二三四五六")
    text.stylize("bold", 2, 4)
    console = Console(file=io.StringIO(), width=6, force_terminal=True, color_system="standard")
    console.print(Flow(text))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count("\n") == 2
    assert "\x1b[1m三\x1b[0m\n\x1b[1m四\x1b[0m" in shown
