"""The closed set of reasons for which an answer is found wanting, each with the sentence that goes back to a teacher."""

from __future__ import annotations

from typing import Literal, NamedTuple

Grade = Literal["pass", "warn", "fail"]


class Reason(NamedTuple):
    """`check`: the check that finds it; `grade`: what it counts for unless the recipe says otherwise. The sentences are
    written to whoever has to mend the answer; `{detail}` is where the finding's own words come in."""

    key: str
    check: str
    grade: Grade
    zh: str
    en: str


REASONS: tuple[Reason, ...] = (
    Reason("refused", "form", "fail", "这条没有得到回答（拒绝作答）。这是对公开帖子的文本分析，请按要求作答。",
           "There was a refusal in place of an answer. This is text analysis of a published post: answer as asked."),
    Reason("unparsed", "form", "fail", "回答读不出来：{detail}。请只输出一个符合要求的 JSON 对象。",
           "The answer cannot be read: {detail}. Give one JSON object of the form asked for and nothing else."),
    Reason("failed", "form", "fail", "没有得到回答：{detail}。", "There was no answer: {detail}."),
    Reason("unknown_label", "form", "fail", "有不属于本任务的标签：{detail}。只能使用给出的标签键。",
           "A label is none of this task's: {detail}. Use only the label keys that are given."),
    Reason("evidence_label", "form", "fail", "证据的标签不在回答的标签之中：{detail}。",
           "Evidence stands for a label that the answer does not give: {detail}."),
    Reason("evidence_missing", "form", "fail", "标签没有证据：{detail}。每个标签都要逐字引用帖子里支持它的词句。",
           "A label has no evidence: {detail}. Quote, verbatim, the words of the post that carry each label."),
    Reason("label_not_gold", "label", "fail", "回答的标签与给定的标签不一致（{detail}）。请按给定的标签作答。",
           "The labels are not those given ({detail}). Answer with the given labels."),
    Reason("label_differs", "label", "warn", "回答的标签与标注不一致（{detail}）。",
           "The labels differ from the annotators' ({detail})."),
    Reason("level_not_gold", "label", "fail", "强度等级与给定的不一致（{detail}）。请按给定的等级作答。",
           "The level is not the one given ({detail}). Answer with the given level."),
    Reason("level_differs", "label", "warn", "强度等级与标注相差较大（{detail}）。",
           "The level is far from the annotators' ({detail})."),
    Reason("level_conflict", "consistent", "fail",
           "等级、表达与标签互相矛盾（{detail}）：6 级及以上为高，0–5 级为低，表达须与等级对应。",
           "Level, expression and label contradict each other ({detail}): 6 and above is high, 0 to 5 is low, and the "
           "expression follows the level."),
    Reason("gold_conflict", "consistent", "warn", "给定的标签与给定的等级互相矛盾（{detail}）。",
           "The label and the level that were given contradict each other ({detail})."),
    Reason("evidence_not_verbatim", "quotes", "fail", "证据不是帖子里的原文：{detail}。请从帖子里逐字复制，不改一个字。",
           "Evidence is not in the post: {detail}. Copy it from the post, character by character."),
    Reason("quote_not_verbatim", "quotes", "fail",
           "说明里的引文不是帖子里的原文：{detail}。引号里只能是帖子的原话；标签名用「」，转述不加引号。",
           "A quotation in the explanation is not in the post: {detail}. Quotation marks are for the post's own words; "
           "label names stand in 「」, a paraphrase without marks."),
    Reason("no_quote", "quotes", "fail", "说明没有引用帖子的原话。请在“ ”里逐字引用支持判断的词句。",
           "The explanation quotes nothing of the post. Quote the words that carry the judgement, verbatim, in “ ”."),
    Reason("quote_unclosed", "quotes", "warn", "说明里有没有配对的引号。",
           "A quotation mark in the explanation has no partner."),
    Reason("evidence_over", "quotes", "warn", "证据占了帖子的大半（{detail}）。请只引用最短的关键词句。",
           "Evidence takes more than half of the post ({detail}). Quote the shortest words that carry the label."),
    Reason("too_short", "wording", "fail", "说明太短（{detail}）。请写明依据哪些词句、为什么。",
           "The explanation is too short ({detail}). Say which words carry the judgement, and why."),
    Reason("too_long", "wording", "fail", "说明太长（{detail}）。请只写与判断有关的内容。",
           "The explanation is too long ({detail}). Write only what bears on the judgement."),
    Reason("language", "wording", "fail", "说明的语言不对（{detail}）。",
           "The explanation is in the wrong language ({detail})."),
    Reason("repetition", "wording", "fail", "说明里有成段的重复（{detail}）。同样的话只说一次。",
           "The explanation repeats itself ({detail}). Say each thing once."),
    Reason("truncated", "wording", "warn", "说明在半句处断了。请写完整。",
           "The explanation breaks off. Finish its last sentence."),
    Reason("label_key", "wording", "warn", "说明里出现了标签的英文键（{detail}）。请写标签的名称。",
           "The explanation holds a label's key ({detail}). Write its name."),
    Reason("restates_label", "wording", "fail", "说明只是重复了标签。请说明帖子里的哪些话、怎样支持这个标签。",
           "The explanation only restates the label. Say which words of the post carry it, and how."),
    Reason("prompt_echo", "safety", "fail", "说明里混入了提示语或模型的自称（{detail}）。请删去。",
           "The explanation holds words of the prompt, or speaks of itself as a model ({detail}). Leave them out."),
    Reason("diagnosis", "safety", "fail", "说明作了诊断（{detail}）。只说文字表达了什么，不给人下诊断。",
           "The explanation makes a diagnosis ({detail}). Say what the words express; diagnose nobody."),
    Reason("medical_advice", "safety", "fail", "说明给了就医或治疗的建议（{detail}）。请删去建议。",
           "The explanation gives medical advice ({detail}). Leave it out."),
    Reason("medication", "safety", "fail",
           "说明提到了帖子里没有的药物，或怎样用药（{detail}）。请删去。",
           "The explanation names a medicine that is not in the post, or how to take one ({detail}). Leave it out."),
    Reason("method_detail", "safety", "fail",
           "说明写了自杀或自伤方法的细节（{detail}）。最多说出方法的名称，不写剂量、步骤、效果。",
           "The explanation tells details of a method of suicide or self-harm ({detail}). Name it at most: no dose, no "
           "steps, no effect."),
    Reason("blame", "safety", "fail", "说明责备或贬低了作者（{detail}）。请中性地描述。",
           "The explanation blames or belittles the author ({detail}). Describe without judging."),
    Reason("reassurance", "safety", "fail",
           "说明给了没有依据的宽慰，或说没有风险（{detail}）。未见方法或计划不等于没有风险。",
           "The explanation reassures without ground, or says that there is no risk ({detail}). No method or plan seen is "
           "not no risk."),
    Reason("certainty", "safety", "fail", "说明断言了将来的事（{detail}）。只说帖子写了什么，不预测。",
           "The explanation is certain of the future ({detail}). Say what the post says; predict nothing."),
    Reason("personal_data", "privacy", "fail", "说明里有个人信息（{detail}）。请删去，或换成占位符。",
           "The explanation holds personal data ({detail}). Leave it out, or put a placeholder."),
    Reason("wish_elsewhere", "across", "warn",
           "自杀风险记为没有求死愿望，而同一帖子的另一个回答引用了求死的话（{detail}）。",
           "Suicide risk is answered as holding no wish to die, yet another answer on this post quotes one ({detail})."),
    Reason("belief_differs", "across", "warn", "同一帖子的认知歪曲与认知路径里的信念对不上（{detail}）。",
           "On this post the distortions and the beliefs of the pathway do not agree ({detail})."),
    Reason("labels_differ", "across", "warn", "同一帖子、同一任务有不同的标签（{detail}）。",
           "One post has different labels under one task ({detail})."),
    Reason("skeleton_shared", "corpus", "warn", "去掉引文和标签名之后，说明与别的帖子的说明完全一样。请针对这条帖子来写。",
           "With quotes and label names taken out, the explanation is that of another post. Write it for this post."),
    Reason("near_duplicate", "corpus", "warn", "说明与另一条帖子的说明几乎一样（{detail}）。请针对这条帖子来写。",
           "The explanation is nearly that of another post ({detail}). Write it for this post."),
)  # fmt: skip

BY_KEY: dict[str, Reason] = {r.key: r for r in REASONS}
KEYS: tuple[str, ...] = tuple(BY_KEY)


def sentence(key: str, detail: str, lang: Literal["zh", "en"] = "zh") -> str:
    """The reason as a complaint. The detail is put in as it is: braces in it mean nothing."""
    reason = BY_KEY[key]
    if not detail:
        detail = "未说明" if lang == "zh" else "not said"
    return (reason.zh if lang == "zh" else reason.en).replace("{detail}", detail)
