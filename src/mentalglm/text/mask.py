"""Personal data in a post: phone, ID card, QQ, WeChat, e-mail, @name, URL, each replaced by one canonical placeholder.

Patterns run on normalised text, so that full-width digits and hidden characters do not hide a number. Ordinary numbers
(amounts, dates, scores, counts, hotlines of three to five digits) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

PHONE, ID_CARD, QQ, WECHAT, EMAIL, USER, URL = "[电话]", "[身份证]", "[QQ]", "[微信]", "[邮箱]", "[用户]", "[网址]"
NUMBER = "[号码]"  # a number that somebody masked before us (`<NUM>`), of a kind no longer known
PLACEHOLDER = re.compile("|".join(map(re.escape, (PHONE, ID_CARD, QQ, WECHAT, EMAIL, USER, URL, NUMBER))))


class Masked(NamedTuple):
    """One datum: the placeholder that stands for it, and its span in the text as given."""

    kind: str
    start: int
    end: int


def mask(text: str) -> tuple[str, list[Masked]]:
    """`text` with its personal data replaced, otherwise as given, and what was found, in order, as spans of `text`."""
    from .normalise import clean, to_original

    c = clean(text, mask=False)
    found = [Masked(kind, *to_original(c, a, b)) for kind, a, b in find(c.text)]
    parts: list[str] = []
    at = 0
    for m in found:
        parts += [text[at : m.start], m.kind]
        at = m.end
    return "".join(parts) + text[at:], found


# Patterns are compiled at their first use (`re` keeps them): most posts need none, and compiling delays every start.
# What ends an address inside Chinese prose: white space, quotes, brackets, and anything Chinese.
_IN_URL = r"[^\s<>\"'`，。；、！？（）【】《》“”‘’\[\]{}|\\^\u2e80-\u9fff\uff00-\uffef]"
_DIGITS_BEFORE = r"(?<![\d])(?<!\d[.,])"
_MONEY = r"(?!\s*(?:元|块钱|块|圆|美元|人民币|亿|万元|RMB|rmb))"

_URL = (
    rf"<URL>|(?:https?|ftp)://{_IN_URL}+|(?<![A-Za-z0-9@.])www\.{_IN_URL}{{3,}}"
    rf"|(?<![A-Za-z0-9@.])(?:t|url|dwz|m\.weibo|weibo|b23|v\.douyin|xhslink|u\.jd|m\.tb)\.(?:cn|com|tv)/{_IN_URL}+"
)
_EMAIL = (
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@"
    r"(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
_ID_CARD = r"(?<![\dA-Za-z])([1-9]\d{5})[ -]?(\d{8})[ -]?(\d{3}[\dXx])(?![\dA-Za-z])"
_PHONE = (
    rf"{_DIGITS_BEFORE}(?:\(?(?:\+|00)?86\)?[ -]?)?1[3-9]\d(?:\d{{8}}|[ -]\d{{4}}[ -]\d{{4}})(?!\d){_MONEY}"
    rf"|{_DIGITS_BEFORE}(?:\(0\d{{2,3}}\) ?|0\d{{2,3}}[ -])[2-9]\d{{6,7}}(?!\d)(?!-\d)"
    rf"|{_DIGITS_BEFORE}[48]00-\d{{3,4}}-\d{{3,4}}(?!\d)"
    r"|(?<![\d+])\+[1-9]\d{0,2}[ -]\d{2,4}(?:[ -]?\d{2,4}){2,3}(?!\d)"
)
_QQ = (
    r"(?:(?<![A-Za-z])QQ|扣扣|企鹅号?|加我?[Qq扣](?![A-Za-pr-z])|(?<![A-Za-z])[Qq](?=[群号:]))"
    r"(?:群|号码|号)?[\s:是为=]{0,4}(?P<id>[1-9]\d{4,11})(?!\d)" + _MONEY
)
_WECHAT = (
    r"(?:微信|薇信|威信|徽信|绿泡泡|(?<![A-Za-z])(?:wechat|weixin|v信|vx|wx|v(?=[:=]))|加我?(?:的)?v(?![A-Za-z]))"
    r"(?P<tie>(?:账号|帐号|号码|号|id)?\s{0,2}(?:[:=]|是|为)?\s{0,2})"
    r"(?P<id>(?:[A-Za-z](?=[A-Za-z0-9_-]*[\d_-])|(?<=[:=号是为])[A-Za-z]|(?<=[:=] )[A-Za-z])[A-Za-z0-9_-]{5,19}"
    r"|(?<=[:=号是为vV])[1-9]\d{5,19}|(?<=[:=] )[1-9]\d{5,19})(?![A-Za-z0-9_-])" + _MONEY
)
_USER = r"@USER(?![A-Za-z0-9_])|(?<![A-Za-z0-9._%+-])@(?P<name>[\w·-]{1,30})"

# Typed without a space after it, a mention runs into the sentence: 小明我不想活了. No name is worth losing that:
# from its third character on a name ends where speech begins.
_SPEECH = (
    r"(?<=..)[我你您他她它咱俺不死活想疼痛恨累哭了吗呢吧啊呀]"
    r"|(?<=..)(?:真的|不要|不会|没有|快来|今天|昨天|明天|怎么|什么|谢谢|救救)"
)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def valid_id_card(number: str) -> bool:
    """Whether 18 characters are a mainland ID-card number: possible birth date, checksum of GB 11643."""
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9Xx]", number):
        return False
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    if not (1880 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()


def find(text: str) -> list[Masked]:
    """The personal data of a normalised text: disjoint, ascending, as spans of that text. Earlier kinds win ties."""
    taken: list[Masked] = []
    covered = bytearray(len(text))
    for candidate in _candidates(text):
        if not any(covered[candidate.start : candidate.end]):
            covered[candidate.start : candidate.end] = b"\1" * (candidate.end - candidate.start)
            taken.append(candidate)
    return sorted(taken, key=lambda m: m.start)


def _candidates(text: str) -> Iterator[Masked]:
    lower = text.lower()
    if "<num>" in lower:
        yield from (Masked(NUMBER, m.start(), m.end()) for m in re.finditer("<NUM>", text, re.IGNORECASE))
    if "/" in text or "www." in lower or "<url>" in lower:
        for m in re.finditer(_URL, text, re.IGNORECASE):
            end = m.start() + len(m.group().rstrip(".,!?;:)'\""))
            yield Masked(URL, m.start(), end)
    if "@" in text:
        yield from (Masked(EMAIL, m.start(), m.end()) for m in re.finditer(_EMAIL, text))
        for m in re.finditer(_USER, text):
            yield Masked(USER, m.start(), m.start("name") + _name_length(m["name"]) if m["name"] else m.end())
    if any(ch.isdigit() for ch in text):
        for m in re.finditer(_ID_CARD, text):
            if valid_id_card("".join(m.groups())):
                yield Masked(ID_CARD, m.start(), m.end())
        yield from (Masked(QQ, m.start("id"), m.end("id")) for m in re.finditer(_QQ, text, re.IGNORECASE))
    if "信" in text or "绿" in text or "v" in lower or "w" in lower:
        yield from (Masked(WECHAT, m.start("id"), m.end("id")) for m in re.finditer(_WECHAT, text, re.IGNORECASE))
    if any(ch.isdigit() for ch in text):
        yield from (Masked(PHONE, m.start(), m.end()) for m in re.finditer(_PHONE, text))


def _name_length(name: str) -> int:
    speech = re.search(_SPEECH, name)
    return speech.start() if speech else len(name)
