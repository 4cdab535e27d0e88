from __future__ import annotations

import pytest

from mentalglm.build.items import Dropped, masked, merge
from mentalglm.build.recipe import LabelPart
from mentalglm.sources.labelled import Labelled, Sentence
from mentalglm.text import content_key


def risk(n: int, text: str, label: str | None = None, level: int | None = None, source: str = "sos_hl_1k") -> Labelled:
    return Labelled(
        f"{source}-train-{n:04d}", source, "train", "suicide_risk", text, (label,) if label else None, level
    )


def test_copies_of_a_post_become_one_item_with_all_that_is_known() -> None:
    rows = [risk(1, "今晚的风 好大。", "low"), risk(7, "今晚的风好大", level=2, source="sos_4k")]
    (item,), dropped = merge(rows, LabelPart())
    assert (item.labels, item.label_from, item.level, item.disagrees) == (("low",), "sos_hl_1k", 2, "")
    assert item.text == "今晚的风 好大。"
    assert item.key == content_key("今晚的风好大")
    assert item.sources == ("sos_hl_1k-train-0001", "sos_4k-train-0007")
    assert not dropped


@pytest.mark.parametrize(
    ("rule", "level", "kept"), [("leave_out_level", None, True), ("keep", 8, True), ("drop", None, False)]
)
def test_the_binary_label_wins_over_a_level_that_does_not_fit(rule: str, level: int | None, kept: bool) -> None:
    rows = [risk(1, "海边的灯都灭了", "low"), risk(2, "海边的灯都灭了", level=8, source="sos_4k")]
    items, dropped = merge(rows, LabelPart(disagreement=rule))  # type: ignore[arg-type]
    if kept:
        assert (items[0].labels, items[0].level) == (("low",), level)
        assert "8" in items[0].disagrees
    else:
        assert [d.reason for d in dropped] == ["sources_disagree"]


def test_a_level_alone_gives_the_label_by_the_rule_and_says_so() -> None:
    items, _ = merge(
        [risk(1, "第一条", level=5, source="sos_4k"), risk(2, "第二条", level=6, source="sos_4k")], LabelPart()
    )
    assert [i.labels for i in items] == [("low",), ("high",)]
    assert all("level" in i.label_from for i in items)


def test_two_levels_on_one_side_take_the_deeper_on_two_sides_neither() -> None:
    one = [risk(1, "同一句话", level=1, source="a"), risk(2, "同一句话", level=3, source="a")]
    two = [risk(3, "另一句话", level=5, source="a"), risk(4, "另一句话", level=6, source="a")]
    items, dropped = merge([*one, *two], LabelPart())
    assert [i.level for i in items] == [3]
    assert [d.reason for d in dropped] == ["conflicting_labels"]


def test_conflicting_labels_drop_the_post_or_take_the_first() -> None:
    rows = [
        Labelled("s-1", "s", "train", "cognitive_distortion", "他们都在背后笑我", ("mind_reading",)),
        Labelled("s-2", "s", "train", "cognitive_distortion", "他们都在背后笑我！", ("labeling",)),
    ]
    items, dropped = merge(rows, LabelPart())
    assert not items
    assert dropped[0].reason == "conflicting_labels"
    assert "labeling" in dropped[0].detail
    assert merge(rows, LabelPart(conflicts="first")).items[0].labels == ("mind_reading",)


def test_nothing_is_lost_without_a_reason() -> None:
    rows = [
        risk(1, "  \n", "low"),
        risk(2, "没有标签的一条"),
        Labelled("p-1", "p", "", "cognitive_pathway", "短", (), sentences=(Sentence(0, 9, ()),)),
    ]
    items, dropped = merge(rows, LabelPart())
    assert not items
    assert [d.reason for d in dropped] == ["empty", "unlabelled", "bad_sentences"]
    assert all(isinstance(d, Dropped) and d.sources for d in dropped)


def test_children_bring_their_parents() -> None:
    row = Labelled("p-1", "p", "", "cognitive_pathway", "我就是废物。", ("belief.labeling",))
    assert merge([row], LabelPart()).items[0].labels == ("belief", "belief.labeling")


def test_personal_data_are_masked_and_sentences_move_along() -> None:
    text = "打我电话13912345678。我就是没用。"
    row = Labelled("p-1", "p", "", "cognitive_pathway", text, (), sentences=(Sentence(0, 16, ()), Sentence(16, 22, ())))
    shown, sentences = masked(row)
    assert "13912345678" not in shown
    assert [shown[s.start : s.end] for s in sentences] == ["打我电话[电话]。", "我就是没用。"]
