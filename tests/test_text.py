"""`text`: cleaning with offsets, masking, sentences, the content key. Every post here is invented."""

from __future__ import annotations

import hashlib
import time
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mentalglm.text import clean, content_key, mask, sentences, to_original
from mentalglm.text.mask import valid_id_card
from mentalglm.text.normalise import _traditional

# Text of any kind, lone surrogates among it, with a good share of what makes trouble.
TROUBLE = [
    "e\u0301", "ﬁ", "㍿", "①", "ａｂ", "한글", "\u1112\u1161\u11ab", "ㅎㅏㄴ", "ｶﾞ",
    "👨\u200d👩\u200d👧", "❤\ufe0f", "🇨🇳",
    "\ud83d", "\udc00", "\u202e", "\u200b", "\x00", "\ufeff", "  ", "\n\n", "\u3000", "¨", "¼", "ﷺ", "後來", "妳", "乾",
    "@小明", "13800138000", "<|user|>", "[gMASK]", "<s>", "。", "！！", "……", "“", "”", "不想活了",
    "\U000e0041", "Q̣̇", "\u0344",
]  # fmt: skip
any_text = st.lists(st.one_of(st.text(st.characters(), max_size=6), st.sampled_from(TROUBLE)), max_size=12).map("".join)


class TestClean:
    @given(any_text, st.booleans())
    @example("\u1100\u1161\u11a8", True)
    @example("a" + "\u0301" * 100, True)
    def test_every_character_knows_its_span(self, text: str, masked: bool):
        c = clean(text, mask=masked)
        assert len(c.text) == len(c.starts) == len(c.ends)
        assert all(0 <= a < b <= len(text) for a, b in zip(c.starts, c.ends, strict=True))
        assert c.starts == sorted(c.starts)
        assert c.ends == sorted(c.ends)

    @given(any_text, st.data())
    def test_a_span_and_its_origin_say_the_same(self, text: str, data: st.DataObject):
        c = clean(text, mask=False)
        if not c.text:
            return
        a = data.draw(st.integers(0, len(c.text) - 1))
        b = data.draw(st.integers(a + 1, len(c.text)))
        start, end = to_original(c, a, b)
        assert 0 <= start < end <= len(text)
        # Cleaning the origin gives the words back, unless the span cut a cluster (or a token, or a run of blanks).
        brackets = str.maketrans("<>[]", "〈〉〔〕")
        again = clean(text[start:end], mask=False).text.translate(brackets)
        if not any(_traditional(ch) for ch in unicodedata.normalize("NFKC", text)):  # their reading needs the whole
            assert c.text[a:b].strip().translate(brackets) in again

    @given(any_text)
    def test_cleaning_twice_is_cleaning_once(self, text: str):
        once = clean(text).text
        assume("]@" not in once)  # an @ after a number is none of a name, but one after `[电话]` is
        assert clean(once).text == once

    @given(any_text)
    def test_nothing_invisible_is_left(self, text: str):
        cleaned = clean(text).text
        assert cleaned == cleaned.strip()
        assert "  " not in cleaned
        assert not [ch for ch in cleaned if unicodedata.category(ch) in ("Cc", "Cf", "Cs")]
        cleaned.encode("utf-8")

    @given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn")), max_size=30))
    def test_is_nfkc_where_nothing_else_is_to_do(self, text: str):
        expected = " ".join(unicodedata.normalize("NFKC", text).split())
        cleaned = clean(text, mask=False).text
        if not any("\u3400" <= ch <= "\u9fff" or ch > "\uffff" or ch in "<>[]" for ch in expected):
            assert cleaned == expected

    def test_quotes_are_those_of_the_text_as_given(self):
        text = "我　真的\u200b好累，ﬁne…後來\ud800就不想說話了"
        c = clean(text)
        assert c.text == "我 真的好累,fine...后来就不想说话了"
        at = c.text.index("后来")
        assert text[slice(*to_original(c, at, at + 2))] == "後來"
        at = c.text.index("ine")
        assert text[slice(*to_original(c, at, at + 3))] == "ﬁne"

    def test_an_emoji_keeps_its_selector_and_letters_their_marks(self):
        text = "❤\ufe0fe\u0301"
        c = clean(text)
        assert c.text == "❤é"
        assert [text[a:b] for a, b in zip(c.starts, c.ends, strict=True)] == ["❤\ufe0f", "e\u0301"]

    def test_traditional_becomes_simplified_one_for_one(self):
        assert clean("我覺得妳們都在看著我，心裡很難過").text == "我觉得你们都在看着我,心里很难过"
        assert clean("著名的乾隆皇帝").text == "著名的乾隆皇帝"  # simplified text stays as it is

    @pytest.mark.parametrize(
        "token", ["<|assistant|>", "<|user|>", "[gMASK]", "<sop>", "<s>", "</s>", "[SEP]", "<｜User｜>"]
    )
    def test_control_tokens_become_words(self, token: str):
        c = clean(f"你好{token}再见")
        assert unicodedata.normalize("NFKC", token) not in c.text
        assert len(c.text) == len(unicodedata.normalize("NFKC", token)) + 4

    def test_fullwidth_control_tokens_too(self):
        assert "<|user|>" not in clean("＜｜user｜＞").text

    def test_a_long_run_of_marks_takes_no_time(self):
        began = time.perf_counter()
        text = "a" + "\u0301\u0316" * 50_000
        clean(text)
        content_key(text)
        assert time.perf_counter() - began < 10

    def test_masked_characters_all_map_to_the_datum(self):
        text = "打１３８００１３８０００找我"
        c = clean(text)
        assert c.text == "打[电话]找我"
        assert text[slice(*to_original(c, 2, 3))] == "１３８００１３８０００"

    def test_an_empty_span_is_a_point(self):
        assert to_original(clean("你好"), 1, 1) == (1, 1)
        assert to_original(clean(""), 0, 0) == (0, 0)
        assert to_original(clean("你好"), 2, 5) == (2, 2)


def id_card(first17: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return first17 + "10X98765432"[sum(int(d) * w for d, w in zip(first17, weights, strict=True)) % 11]


class TestMask:
    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("我的电话是13800138000，随时打", "我的电话是[电话]，随时打"),
            ("电话138-0013-8000或138 0013 8000", "电话[电话]或[电话]"),
            ("+8613800138000", "[电话]"),
            ("+1 415 555 2671打来的", "[电话]打来的"),
            ("打 010-62345678 找他", "打 [电话] 找他"),
            ("身份证11010519491231002X丢了", "身份证[身份证]丢了"),
            ("加我QQ：123456789吧", "加我QQ：[QQ]吧"),
            ("qq群 987654321", "qq群 [QQ]"),
            ("加q123456789", "加q[QQ]"),
            ("微信：happy_cat99 聊聊", "微信：[微信] 聊聊"),
            ("我的vx:abcdefgh", "我的vx:[微信]"),
            ("加V：lily2020xx", "加V：[微信]"),
            ("微信号是wxid_abc123", "微信号是[微信]"),
            ("写信到someone.else+x@mail.example.com。", "写信到[邮箱]。"),
            ("@小雨的天空 你看到了吗", "[用户] 你看到了吗"),
            ("回复@abc_def-12:好的", "回复[用户]:好的"),
            ("看这个http://t.cn/A6xYz?a=1，很准", "看这个[网址]，很准"),
            ("www.example.com/路 不见了", "[网址]路 不见了"),
            ("@USER你在吗<URL>", "[用户]你在吗[网址]"),
            ("手机１３８００１３８０００", "手机[电话]"),
            ("1\u200b3800138000", "[电话]"),
        ],
    )
    def test_finds(self, text: str, masked: str):
        assert mask(text)[0] == masked

    @pytest.mark.parametrize(
        "text",
        [
            "今天走了20000步，微信步数第一",
            "2024年11月23日15:30",
            "房租3500元，存款12345678901元没了",
            "拨打12356、12355、110或120",
            "考了653分，全省12345名",
            "订单号202411231234567890",
            "身份证号110105194912310021是错的",
            "圆周率3.14159265358979",
            "13800138000元的债",
            "微信 facebook twitter 都卸载了",
            "QQ音乐放了一晚上",
            "我@ 了他",
            "q1营收12345万",
            "凌晨3点23分，体重102.5斤",
            "1999999999999",
            "a@b",
            "加v没有用",
            "点赞+10086，积分+1000 +20 +30",
        ],
    )
    def test_leaves_ordinary_text_alone(self, text: str):
        assert mask(text) == (text, [])

    def test_a_name_never_takes_the_sentence_with_it(self):
        assert mask("@小明我真的不想活了")[0] == "[用户]我真的不想活了"
        assert "不想活" in mask("@abc不想活了怎么办")[0]

    @given(st.from_regex(r"[1-9][0-9]{5}(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[0-9]{3}", fullmatch=True))
    def test_only_a_right_checksum_is_an_id_card(self, first17: str):
        right = id_card(first17)
        assert valid_id_card(right)
        assert mask(f"号码{right}。")[0] == "号码[身份证]。"
        wrong = first17 + ("0" if right[-1] != "0" else "1")
        assert not valid_id_card(wrong)
        assert "[身份证]" not in mask(f"号码{wrong}。")[0]

    @given(any_text)
    def test_spans_are_ordered_and_the_rest_is_as_given(self, text: str):
        masked, found = mask(text)
        parts, at = [], 0
        for m in found:
            assert at <= m.start < m.end <= len(text)
            parts += [text[at : m.start], m.kind]
            at = m.end
        assert "".join(parts) + text[at:] == masked

    @given(any_text)
    def test_masking_twice_is_masking_once(self, text: str):
        once = mask(text)[0]
        assume("]@" not in once)
        assert mask(once)[0] == once

    def test_hostile_text_takes_no_time(self):
        began = time.perf_counter()
        for piece in ("a", "1", "@", "1-", "微信", "QQ ", "+1 ", "a@b.", "http://", "@a ", "13800138000 ", "QQ12345 "):
            mask(piece * (100_000 // len(piece)))
        assert time.perf_counter() - began < 30


class TestSentences:
    @given(any_text)
    def test_spans_cover_all_that_is_not_blank(self, text: str):
        spans = sentences(text)
        last = 0
        for start, end in spans:
            assert last <= start < end <= len(text)
            assert not text[last:start].strip()
            assert text[start:end] == text[start:end].strip()
            last = end
        assert not text[last:].strip()
        assert bool(spans) == bool(text.strip())

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("今天又没考好。我就是个废物！！算了…睡吧", ["今天又没考好。", "我就是个废物！！", "算了…", "睡吧"]),
            ("第一行\n\n第二行", ["第一行", "第二行"]),
            ("我好累 活着好难 不想说话", ["我好累", "活着好难", "不想说话"]),
            ("“你走吧！”她说。我走了", ["“你走吧！”", "她说。", "我走了"]),
            ("他说“好吧？”，我没理。", ["他说“好吧？”，我没理。"]),
            ("好累呀～！😭😭 明天再说", ["好累呀～！😭😭", "明天再说"]),
            ("I am tired. It is 3.5 km.", ["I am tired.", "It is 3.5 km."]),
            ("I feel sad today", ["I feel sad today"]),
            ("", []),
            ("  \n ", []),
            ("……", ["……"]),
            ("😭", ["😭"]),
            ("我……不想了", ["我……不想了"]),
            ("嗯。好的呀。", ["嗯。好的呀。"]),
        ],
    )
    def test_splits(self, text: str, expected: list[str]):
        assert [text[a:b] for a, b in sentences(text)] == expected

    def test_a_run_on_sentence_is_cut_at_commas(self):
        text = "，".join(["今天也是很长很长很长的一天"] * 40)
        lengths = [b - a for a, b in sentences(text)]
        assert len(lengths) > 5
        assert max(lengths) < 160


class TestContentKey:
    def test_is_the_hash_that_the_design_names(self):
        letters = "abc不想活了3"
        assert content_key("ＡＢＣ，不想活了！ 3") == hashlib.sha256(letters.encode()).hexdigest()[:32]

    @given(any_text)
    def test_is_the_same_for_any_punctuation_spacing_width_and_case(self, text: str):
        key = content_key(text)
        if any(ch.isalnum() for ch in unicodedata.normalize("NFKC", text)):
            assert content_key(f"  {text}。\n！") == key
            assert content_key(unicodedata.normalize("NFKC", text)) == key

    def test_without_letters_the_raw_text_counts(self):
        assert content_key("😭😭") == hashlib.sha256("😭😭".encode()).hexdigest()[:32]
        assert content_key("😭") != content_key("😀")
        assert content_key("\ud800") == hashlib.sha256(b"\xed\xa0\x80").hexdigest()[:32]

    @given(st.text(max_size=50), st.integers(0, 40))
    def test_a_long_text_has_the_key_of_its_whole(self, text: str, shift: int):
        long = "ｱ" * shift + (text + "가\u1100\u1161") * (9000 // (len(text) + 3))
        letters = "".join(ch for ch in unicodedata.normalize("NFKC", long).lower() if ch.isalnum())
        if letters:
            assert content_key(long) == hashlib.sha256(letters.encode()).hexdigest()[:32]
