"""The page as text: whole, closed to every network, each link and name right."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from micronet.reports.page.page import page
from micronet.reports.tables import tables
from tests.reports.by_hand import HOSTILE, audit, committed, document, material

if TYPE_CHECKING:
    from pathlib import Path

LOADS = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}


class Found(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture
def text(tmp_path: Path) -> str:
    kept = committed("resnet50_dnw_10.micronet2019")
    found = material(tmp_path, kept, audit=audit(HOSTILE), odd=document(HOSTILE))
    return page(found, tables(found))


def test_nothing_is_loaded_from_anywhere(text: str) -> None:
    tags = Found(text).tags
    assert not [attributes for _, attributes in tags if LOADS & set(attributes)]
    assert not [
        tag for tag, _ in tags if tag in ("link", "img", "iframe", "object", "base", "form")
    ]
    hrefs = [attributes["href"] or "" for _, attributes in tags if "href" in attributes]
    assert all(href.startswith("#") for href in hrefs)
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_allows_this_style_and_this_script_alone(text: str) -> None:
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; ")
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_no_attribute_holds_style_or_script(text: str) -> None:
    names = {name for _, attributes in Found(text).tags for name in attributes}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]


def test_every_link_leads_to_one_place(text: str) -> None:
    tags = Found(text).tags
    ids = Counter(attributes["id"] for _, attributes in tags if "id" in attributes)
    assert set(ids.values()) == {1}
    named = [a.get(key) or "" for _, a in tags for key in ("aria-labelledby",) if key in a]
    links = [a["href"] or "" for _, a in tags if "href" in a]
    wanted = {link.removeprefix("#") for link in links} | {
        i for each in named for i in each.split()
    }
    assert wanted <= set(ids)


def test_a_hostile_name_is_text(text: str) -> None:
    assert text.count("<script>") == 1
    assert "alert(1)" in text


def test_the_page_is_the_same_each_time(tmp_path: Path, text: str) -> None:
    kept = committed("resnet50_dnw_10.micronet2019")
    found = material(tmp_path / "again", kept, audit=audit(HOSTILE), odd=document(HOSTILE))
    assert page(found, tables(found)) == text
