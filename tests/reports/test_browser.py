"""The page in a real browser: sorted by click and by key, light and dark, narrow, on paper."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from micronet.reports.page.page import page
from micronet.reports.tables import tables
from tests.reports.by_hand import HOSTILE, audit, committed, document, material

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")
SCORES = "#submission-imagenet tbody tr > :nth-child(2)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("page")
    kept = [committed(f"{name}.micronet2019") for name in ("resnet50_dnw_10", "mnv1_582M")]
    found = material(root, *kept, audit=audit(HOSTILE), odd=document(HOSTILE))
    path: Path = root / "report.html"
    path.write_text(page(found, tables(found)), encoding="utf-8")
    return path.as_uri()


class Seen:
    """A page that was opened, with every request and every complaint of it."""

    def __init__(
        self, browser: Browser, address: str, *, width: int = 1280, dark: bool = False
    ) -> None:
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(address)

    def numbers(self) -> list[float]:
        """The scores as the rows stand."""
        cells = self.page.locator(SCORES).all()
        return [float(cell.get_attribute("data-value") or "nan") for cell in cells]


@pytest.fixture
def seen(browser: Browser, address: str) -> Iterator[Seen]:
    found = Seen(browser, address)
    yield found
    found.page.close()


def test_nothing_is_asked_for_and_nothing_complains(seen: Seen, address: str) -> None:
    seen.page.emulate_media(color_scheme="dark")
    assert seen.requests == [address]
    assert seen.complaints == []


def test_the_policy_stops_what_the_page_never_does(seen: Seen) -> None:
    seen.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://a.test/'}))")
    seen.page.wait_for_timeout(50)
    assert [text for text in seen.complaints if "Content Security Policy" in text]


def test_a_click_sorts_by_number_and_a_third_restores_the_order(seen: Seen) -> None:
    head = seen.page.locator("#submission-imagenet thead th", has_text="total").first
    given = seen.numbers()
    assert given != sorted(given)
    head.locator("button").click()
    assert seen.numbers() == sorted(given)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert seen.numbers() == sorted(given, reverse=True)
    head.locator("button").click()
    assert seen.numbers() == given
    assert head.get_attribute("aria-sort") == "none"


def test_the_keyboard_sorts_too_and_only_one_column_is_sorted(seen: Seen) -> None:
    buttons = seen.page.locator("#submission-imagenet thead button")
    buttons.nth(0).click()
    buttons.nth(1).focus()
    seen.page.keyboard.press("Enter")
    ordered = seen.page.locator("#submission-imagenet [aria-sort=ascending]")
    assert ordered.count() == 1


def test_what_is_unknown_comes_last_either_way(seen: Seen) -> None:
    place = "#submission-imagenet tbody tr > :nth-child(7)"  # measured: nobody has any
    button = seen.page.locator(
        "#submission-imagenet thead tr:nth-child(2) button", has_text="stored"
    )
    column = "#submission-imagenet tbody tr > :nth-child(10)"
    for _ in range(2):
        button.click()
        values = [c.get_attribute("data-value") for c in seen.page.locator(column).all()]
        known = [value for value in values if value]
        assert values[: len(known)] == known
        assert len(known) < len(values)
    assert seen.page.locator(place).count() == len(values)


def test_every_head_sorts_its_own_column(seen: Seen) -> None:
    """The heads stand in two lines; each must know its place."""
    heads = seen.page.locator("#layers-mnv1_582M thead th[data-sort=number]")
    seen.page.locator("#layers-mnv1_582M-title").locator("xpath=..").evaluate("d => d.open = true")
    table = seen.page.locator("table[aria-labelledby=layers-mnv1_582M-title]")
    heads = table.locator("thead th[data-sort=number]")
    for index in range(heads.count()):
        heads.nth(index).locator("button").click()
        order = table.evaluate(
            """(table, name) => {
                const sorted = table.querySelector('[aria-sort=ascending]').getBoundingClientRect();
                const cells = [...table.tBodies[0].rows].map(row => [...row.cells].find(cell => {
                    const box = cell.getBoundingClientRect();
                    return Math.abs(box.right - sorted.right) < 1;
                }).dataset.value).filter(value => value !== '').map(Number);
                return cells.every((value, i) => i === 0 || cells[i - 1] <= value);
            }""",
            None,
        )
        assert order, heads.nth(index).inner_text()


def test_the_total_stays_below(seen: Seen) -> None:
    table = seen.page.locator("table[aria-labelledby=stages-mnv1_582M-title]")
    for _ in range(2):  # the largest number first
        table.locator("thead button").nth(1).click()
    assert table.locator("tr").last.locator("th").inner_text() == "total"


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_follows_the_systems_colours(browser: Browser, address: str, dark: bool) -> None:
    found = Seen(browser, address, dark=dark)
    picture = Image.open(io.BytesIO(found.page.screenshot())).convert("L")
    corner = picture.getpixel((5, 500))
    assert isinstance(corner, int)
    assert (corner < 60) if dark else (corner > 240)
    found.page.close()


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_only_tables_scroll_sideways(browser: Browser, address: str, width: int) -> None:
    found = Seen(browser, address, width=width)
    assert found.page.evaluate("document.documentElement.scrollWidth") == width
    shown = ".narrow" if width <= 640 else ".wide"
    hidden = ".wide" if width <= 640 else ".narrow"
    assert found.page.locator(f"figure {shown}").first.is_visible()
    assert not found.page.locator(f"figure {hidden}").first.is_visible()
    found.page.close()


def test_no_text_of_a_figure_is_cut_off_or_too_small(browser: Browser, address: str) -> None:
    found = Seen(browser, address, width=390)
    small = found.page.evaluate(
        """() => [...document.querySelectorAll('.narrow svg')].flatMap(svg => {
            const frame = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('text')].filter(text => {
                const box = text.getBoundingClientRect();
                const far = Math.max(frame.left - box.left, box.right - frame.right);
                return far > 8 || box.height < 11;
            }).map(text => text.textContent);
        })"""
    )
    assert small == []
    found.page.close()


def test_labels_of_the_scatter_do_not_touch(browser: Browser, address: str) -> None:
    for width in (390, 1280):
        found = Seen(browser, address, width=width)
        touching = found.page.evaluate(
            """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
                const boxes = [...svg.querySelectorAll('text.l')].map(t => [t, t.getBoundingClientRect()]);
                return boxes.flatMap(([t, a], i) => boxes.slice(i + 1).filter(([, b]) =>
                    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4
                ).map(([u]) => t.textContent + ' / ' + u.textContent));
            })"""
        )
        assert touching == []
        found.page.close()


def test_paper_shows_every_row_also_of_closed_parts(seen: Seen) -> None:
    seen.page.emulate_media(media="print")
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert seen.page.locator("details:not([open])").count() == 0
    assert seen.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_without_scripts_the_tables_are_there(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(address)
    assert opened.locator("#submission-imagenet tbody tr").count() == 10
    assert opened.locator("thead button").count() == 0
    context.close()
