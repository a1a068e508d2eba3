"""The HTML page: text stays text, nothing is loaded, it is accessible, and its colours have contrast."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources

import pytest
from hypothesis import given

from engine.clean import clean_text
from engine.reports.html import to_html
from tests.engine.reports.documents import ATTACKS, TEXTS, document

CSS = resources.files("engine.reports").joinpath("report.css").read_text(encoding="utf-8")
FOREIGN = {"title", "aria-label"}  # attributes that may contain foreign text


class Structure(HTMLParser):
    """Every tag with its attributes, and all text between them, as an HTML parser finds them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text: list[str] = []
        self.others: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = tuple((name, "" if name in FOREIGN else value) for name, value in attrs)
        self.tags.append((tag, kept))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", ()))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)


@given(TEXTS.filter(lambda text: bool(clean_text(text).strip())))
def test_no_text_changes_the_page_structure(text: str) -> None:
    made, plain = Structure(to_html(document(text))), Structure(to_html(document("x" * len(text))))
    assert made.tags == plain.tags
    assert not made.others
    assert clean_text(text) in "".join(made.text)


@pytest.mark.parametrize("text", ATTACKS)
def test_attacks_add_no_active_elements_or_control_characters(text: str) -> None:
    page = to_html(document(text))
    assert {tag for tag, _ in Structure(page).tags} & {"script", "iframe", "img", "object"} == set()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800]", page)


def test_page_policy_allows_only_its_own_style() -> None:
    made = Structure(to_html(document("x")))
    policy = next(
        dict(attrs)["content"] for tag, attrs in made.tags if ("http-equiv", "Content-Security-Policy") in attrs
    )
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    assert policy is not None
    assert policy.split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:", "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip
    assert CSS in "".join(made.text), "the style sheet is unchanged, so its hash matches"
    assert "url(" not in CSS
    assert "@import" not in CSS
    for tag, attrs in made.tags:
        for name, value in attrs:
            assert name != "style", tag
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "action", "xlink:href"):
                assert value == "data:," or str(value).startswith("#"), (tag, name, value)


def test_page_is_accessible_to_screen_readers_and_keyboards() -> None:
    made = Structure(to_html(document("x")))
    assert ("html", (("lang", "en"),)) in made.tags
    names = [tag for tag, _ in made.tags]
    assert names.count("h1") == names.count("main") == names.count("title") - svg_titles(made) == 1
    for tag, attrs in made.tags:
        found = dict(attrs)
        if tag == "th":
            assert found.get("scope") in ("col", "row")
        if tag == "svg":
            assert found.get("role") == "img" or found.get("aria-hidden") == "true"
    ids = [dict(attrs)["id"] for _, attrs in made.tags if "id" in dict(attrs)]
    assert len(ids) == len(set(ids))
    assert {f"#{name}" for name in ("one", "two")} <= {
        dict(attrs).get("href") for tag, attrs in made.tags if tag == "a"
    }
    assert names.count("table") == names.count("caption")


def svg_titles(made: Structure) -> int:
    """The number of titles within drawings, which excludes the page's own."""
    inside, count = 0, 0
    for tag, _ in made.tags:
        inside += (tag == "svg") - (tag == "/svg")
        count += tag == "title" and inside > 0
    return count


def schemes() -> Iterator[tuple[str, dict[str, str]]]:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    for name, block in zip(("light", "dark", "print"), blocks, strict=True):
        yield name, dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6})", block))


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("name", "colours"), list(schemes()), ids=["light", "dark", "print"])
def test_text_and_lines_have_enough_contrast(name: str, colours: dict[str, str]) -> None:
    def contrast(first: str, second: str) -> float:
        high, low = sorted((luminance(colours[first]), luminance(colours[second])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for text_colour in ("ink", "quiet", "accent", "good", "bad", "open"):
        assert contrast(text_colour, "paper") >= 4.5, text_colour
    assert contrast("ink", "tint") >= 4.5
    for line_colour in ("accent", "second", "third", "fourth"):
        assert contrast(line_colour, "paper") >= 3, line_colour
