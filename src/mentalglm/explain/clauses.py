"""How a label's definition applies to the words quoted: clauses without a subject, which every frame can take up."""

from __future__ import annotations

ZH: dict[str, tuple[str, ...]] = {
    "all_or_nothing": ("只留下了两个极端，没有中间的余地", "把事情分成了非好即坏的两端", "只剩下全有和全无两种可能"),
    "overgeneralization": (
        "把一次或几次的经历推到了所有时候或所有人",
        "由个别的事得出了涵盖一切的结论",
        "从有限的经历一下子推到了全部",
    ),
    "mental_filter": (
        "只看到了负面的一处，其余都不见了",
        "反复盯住不好的那一点",
        "只看见了负面的细节",
    ),
    "disqualifying_the_positive": ("把好的一面说成不算数", "用别的理由取消了好事的分量", "没有让正面的事情算数"),
    "mind_reading": (
        "没有给出依据就认定了别人的想法",
        "替别人下了他们怎么看自己的结论",
        "把对别人心思的猜测当成了事实",
    ),
    "fortune_telling": ("把坏的结果当成了已经注定的事", "还没有发生就断定会是坏结局", "对将来下了必然不好的结论"),
    "jumping_to_conclusions": ("没有给出依据就下了不好的结论", "把猜测当成了确定的事", "在证据之前先认定了坏的一面"),
    "magnification": (
        "把过错、缺点或后果说得比实际大",
        "把问题的分量放大了",
        "把后果推到了很严重的程度，或把长处缩小了",
    ),
    "emotional_reasoning": ("把感受当成了事实的证据", "由觉得如何直接推到了就是如何", "用情绪来证明事情确实如此"),
    "should_statements": (
        "用不容商量的要求来衡量自己或别人",
        "立下了一条必须如此、不容例外的规则",
        "把应当如此当成了没有商量的事",
    ),
    "labeling": (
        "没有说具体的行为，而给整个人安上了负面的名字",
        "用一个贬义的称呼概括了整个人",
        "不讲事情，而对整个人下了负面的判断",
    ),
    "self_blame": ("把不全由自己造成的事算到了自己头上", "把过错都揽给了自己", "把责任全归到了自己身上"),
    "other_blame": ("把处境完全归到了别人身上", "把责任全推给了别人", "只从别人那里找原因"),
    "blame": ("把责任全归到了一方（自己或别人）身上", "在归因上只留下了自己或别人的错", "把过错整个算到了一个人头上"),
    "consequence.emotional": ("说的是心里的感受", "写的是情绪上受到的影响", "是情绪上的反应"),
    "consequence.behavioral": ("说的是人做了什么", "写到了做出或不再做的事", "是行为上的反应"),
    "disputation.habitual": (
        "更像是自动的安慰或回避，没有触及想法本身",
        "只是把念头按下去，没有给出依据",
        "属于随口的宽慰，没有说出依据",
    ),
    "disputation.effective": ("给出了依据或另一种解释", "真正回应了那个想法", "用事实或别的可能来衡量那个想法"),
}

EN: dict[str, tuple[str, ...]] = {
    "all_or_nothing": (
        "leaves only two poles and nothing between",
        "splits the matter into good or bad",
        "leaves all or nothing as the only choices",
    ),
    "overgeneralization": (
        "turns one or a few events into every time or everyone",
        "draws a conclusion about everything from single events",
        "leaps from limited experience to all of it",
    ),
    "mental_filter": (
        "sees the one negative point and nothing else",
        "keeps to the bad detail",
        "lets the rest vanish behind a negative detail",
    ),
    "disqualifying_the_positive": (
        "treats the good side as if it did not count",
        "explains something good away",
        "does not let the positive count",
    ),
    "mind_reading": (
        "takes others' thoughts as known, without giving evidence",
        "decides for others what they think",
        "treats a guess at others' minds as fact",
    ),
    "fortune_telling": (
        "takes a bad outcome as certain",
        "declares a bad end before it has happened",
        "draws a certain and bad conclusion about the future",
    ),
    "jumping_to_conclusions": (
        "draws a bad conclusion without giving evidence",
        "takes a guess as certain",
        "settles on the bad side before there is evidence",
    ),
    "magnification": (
        "makes a fault or its consequence larger than it is",
        "blows the matter up",
        "carries the consequence to extremes, or shrinks a strength",
    ),
    "emotional_reasoning": (
        "takes a feeling as proof of a fact",
        "goes straight from feeling so to being so",
        "lets emotion prove that it is true",
    ),
    "should_statements": (
        "measures oneself or others by an unbending demand",
        "sets up a rule that allows no exception",
        "treats how it ought to be as beyond question",
    ),
    "labeling": (
        "names no act but gives the whole person a negative name",
        "sums up a whole person in one bad word",
        "judges the person in place of the act",
    ),
    "self_blame": (
        "takes on the guilt for what is not only one's own doing",
        "takes all the fault upon oneself",
        "puts the responsibility wholly on oneself",
    ),
    "other_blame": (
        "puts the situation wholly down to others",
        "lays all responsibility on others",
        "looks for the cause in others only",
    ),
    "blame": (
        "puts all responsibility on one side, oneself or others",
        "leaves only one's own or others' fault as a cause",
        "lays the whole fault on one person",
    ),
    "consequence.emotional": ("tells of a feeling", "speaks of the emotional effect", "is a reaction in feeling"),
    "consequence.behavioral": (
        "tells what the person does",
        "tells of something done or no longer done",
        "is a reaction in behaviour",
    ),
    "disputation.habitual": (
        "is closer to automatic comfort or avoidance and leaves the thought untouched",
        "pushes the thought down without giving a ground",
        "consoles in passing, without a ground",
    ),
    "disputation.effective": (
        "gives evidence or another explanation",
        "really answers the thought",
        "weighs the thought against facts or other possibilities",
    ),
}
