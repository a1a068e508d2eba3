"""The report as Markdown: a reader of Markdown finds the words as they are, and nothing else."""

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from engine.clean import clean_line, clean_text
from engine.reports.markdown import fenced, plain, to_markdown
from tests.engine.reports.documents import ATTACKS, TEXTS, document

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@given(TEXTS)
def test_foreign_words_stay_words(text: str) -> None:
    clean = clean_line(text).strip()
    tokens = READER.parse(f"{plain(text)}\n\nend")
    if not clean:
        return
    assert [token.type for token in tokens[:3]] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == clean


@given(TEXTS)
def test_an_answer_does_not_leave_its_fence(text: str) -> None:
    tokens = READER.parse(f"{fenced(text)}\n\nend")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == f"{clean_text(text)}\n"


@pytest.mark.parametrize("text", ATTACKS)
def test_every_document_has_the_same_parts(text: str) -> None:
    def parts(of: str) -> list[str]:
        return [token.type for token in READER.parse(to_markdown(document(of)))]

    assert parts(text) == parts("words")


def test_cells_keep_their_columns() -> None:
    tokens = READER.parse(to_markdown(document("a | b \\| c")))
    rows = [token for token in tokens if token.type == "tr_open"]
    cells = [token for token in tokens if token.type in ("td_open", "th_open")]
    assert len(cells) == 2 * 3 * 3 + 2 * 6, "two tables of three columns, one of intervals"
    assert len(rows) == 3 + 3 + 2
