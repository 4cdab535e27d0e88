"""The page in a real browser: Debian's Chromium, driven by playwright. Skipped where there is none, but not in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mentalglm.schema import BadRow, Post

from .test_pages import HOSTILE, POSTS, page_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        if os.environ.get("CI"):
            pytest.fail("CI must not skip the browser tests: apt-get install chromium fonts-noto-cjk")
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def look(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Opens a page of posts; afterwards nothing may have gone wrong in it, nor gone out of it."""
    wrong: list[str] = []
    contexts = []

    def open_it(*posts: Post | BadRow, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda request: wrong.extend([] if request.url.startswith("file:") else [request.url]))
        page.goto(page_of(tmp_path, *posts).as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not wrong


def shown(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("article:visible .id").all_text_contents()]


def test_filters(look: Any) -> None:
    page = look(*POSTS)
    assert len(shown(page)) == 14
    assert page.locator("#shown").inner_text() == "14 / 14"
    page.get_by_role("button", name="高风险或不确定").click()
    assert shown(page) == ["demo-03", "demo-04", "demo-05"]
    assert page.get_by_role("button", name="高风险或不确定").get_attribute("aria-pressed") == "true"
    page.locator("#label").select_option("suicide_risk:high")
    assert shown(page) == ["demo-04"]
    page.locator("#search").fill("没有这样的话")
    page.locator("#nothing").wait_for(state="visible")
    assert not shown(page)
    page.locator("#reset").click()
    assert len(shown(page)) == 14
    page.locator("#label").select_option("cognitive_pathway:belief")
    assert shown(page) == ["demo-12"]


def test_search_looks_in_posts_ids_and_explanations(look: Any) -> None:
    page = look(*POSTS)
    found = {"鲈鱼": ["demo-01"], "DEMO-07": ["demo-07"], "明确的时间与告别": ["demo-04"], "课题 组会": ["demo-09"]}
    for words, wanted in found.items():
        page.locator("#search").fill(words)
        ids = "[...document.querySelectorAll('article:not([hidden]) .id')].map((e) => e.textContent).join()"
        page.wait_for_function(f"(wanted) => {ids} === wanted", arg=",".join(wanted))


def test_a_label_under_the_pointer_shows_its_own_words(look: Any) -> None:
    page = look(POSTS[7])
    page.locator("[data-key=labeling]").hover()
    assert page.locator("mark.lit").all_inner_texts() == ["废物"]
    page.locator("h1").hover()
    assert page.locator("mark.lit").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_it_fits_every_width(look: Any, width: int, scheme: str) -> None:
    page = look(
        *POSTS, Post("很长的编号" * 30, "没有空格的长词" * 40 + "a" * 400), BadRow("x", 1, "bad_json", "e" * 300),
        viewport={"width": width, "height": 800}, color_scheme=scheme,
    )  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    over = """main => [...main.querySelectorAll("*")]
      .filter((e) => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1)
      .filter((e) => getComputedStyle(e).display !== "inline" && !["OPTION", "SELECT"].includes(e.tagName))
      .map((e) => e.className)"""
    assert page.locator("main").evaluate(over) == []


def luminance(colour: str) -> float:
    parts = [float(x) for x in colour[colour.index("(") + 1 : -1].replace(",", " ").split()[:3]]
    linear = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_can_be_read(look: Any, scheme: str) -> None:
    """Contrast of at least 4.5 to 1 (WCAG AA) between each text and the first background behind it."""
    page = look(*POSTS, BadRow("x", 1, "bad_json", "no"), color_scheme=scheme)
    pairs = page.evaluate(
        """() => {
          const out = new Map();
          for (const e of document.querySelectorAll("main *")) {
            if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
            let back = e;
            while (back && getComputedStyle(back).backgroundColor === "rgba(0, 0, 0, 0)") back = back.parentElement;
            const colours = [getComputedStyle(e).color, getComputedStyle(back || document.body).backgroundColor];
            if (!/^rgb/.test(colours[0]) || !/^rgb\\(/.test(colours[1])) continue;
            out.set(colours.join(" on "), [...colours, e.tagName + "." + e.className]);
          }
          return [...out.values()];
        }"""
    )
    assert len(pairs) > 8
    for text, back, where in pairs:
        a, b = sorted([luminance(text), luminance(back)])
        assert (b + 0.05) / (a + 0.05) >= 4.5, (where, text, back)


def test_low_is_not_green(look: Any) -> None:
    colour = look(POSTS[0]).locator(".decision").first.evaluate("e => getComputedStyle(e).color")
    red, green, blue = (int(x) for x in colour[4:-1].split(","))
    assert green <= max(red, blue) + 8


def test_the_theme_can_be_changed(look: Any) -> None:
    page = look(POSTS[0], color_scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_it_reads_without_a_script(look: Any) -> None:
    page = look(*POSTS, java_script_enabled=False)
    assert len(shown(page)) == 14
    assert not page.locator("#bar").is_visible()


def test_help_leads_to_the_numbers(look: Any) -> None:
    page = look(POSTS[3])
    assert page.locator("footer.help a[href='tel:120']").is_visible()
    page.locator("footer.help .more").click()
    assert page.locator("#help").get_by_text("12356").first.is_visible()


def test_hostile_posts_are_inert(look: Any) -> None:
    page = look(*(Post(text, text, {text: text}) for text in HOSTILE))
    page.wait_for_timeout(200)
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.locator("article").count() == len(HOSTILE)
    assert page.locator("h1").count() == 1
    texts = [text.strip() for text in page.locator("article .text").all_text_contents()]
    assert texts[0] == HOSTILE[0]
    assert "<|assistant|><|user|>[gMASK]<sop>" in texts[4]
    assert "\u202e" not in page.content()
