"""The report as Markdown: a Markdown parser finds the texts unchanged, and no other markup."""

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from engine.clean import clean_line, clean_text
from engine.reports.markdown import fenced, plain, to_markdown
from tests.engine.reports.documents import ATTACKS, TEXTS, document

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@given(TEXTS)
def test_foreign_text_stays_plain_text(text: str) -> None:
    clean = clean_line(text).strip()
    tokens = PARSER.parse(f"{plain(text)}\n\nend")
    if not clean:
        return
    assert [token.type for token in tokens[:3]] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == clean


@given(TEXTS)
def test_answer_stays_within_its_fence(text: str) -> None:
    tokens = PARSER.parse(f"{fenced(text)}\n\nend")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == f"{clean_text(text)}\n"


@pytest.mark.parametrize("text", ATTACKS)
def test_hostile_texts_do_not_change_the_document_structure(text: str) -> None:
    def parts(of: str) -> list[str]:
        return [token.type for token in PARSER.parse(to_markdown(document(of)))]

    assert parts(text) == parts("words")


def test_pipes_in_cells_do_not_change_the_columns() -> None:
    tokens = PARSER.parse(to_markdown(document("a | b \\| c")))
    rows = [token for token in tokens if token.type == "tr_open"]
    cells = [token for token in tokens if token.type in ("td_open", "th_open")]
    assert len(cells) == 2 * 3 * 3 + 2 * 6, "two tables of three columns, one of intervals"
    assert len(rows) == 3 + 3 + 2
