"""A document with every kind of block around a given text, and hostile texts to put into it."""

from hypothesis import strategies as st

from engine.records.rule import Span
from engine.reports.document import (
    Answer,
    Chart,
    Charts,
    Column,
    Document,
    Fact,
    Facts,
    IntervalRow,
    Intervals,
    Mark,
    Measured,
    QuestionAnswers,
    Role,
    Row,
    Section,
    Series,
    Table,
    Words,
)

ATTACKS = (
    "</title></style></script><script>document.title='owned'</script>",
    '"><img src=http://127.0.0.1:9/x onerror="document.title=\'owned\'">',
    "' onmouseover='alert(1)' x='",
    "<!-- --> ]]> <![CDATA[ &lt;script&gt; &#60;b&#62; &amp",
    "</svg></math><iframe src=//127.0.0.1:9></iframe>",
    "javascript:alert(1) data:text/html,x http://127.0.0.1:9/ www.example.com a@example.com",
    "| a | b |\n|---|---|\n# head\n- item\n1. one\n> quote\n```\nfence\n~~~\n    code",
    "[link](http://127.0.0.1:9/) ![image](http://127.0.0.1:9/) <http://127.0.0.1:9/> **bold** __b__ ~~s~~ `c` \\",
    "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m \u202eevil \ud800 \x00 \ufeff",
    "規則を守る" * 20,
)
TEXTS = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=60), st.text("<>&\"'/=`|*_[]()\\!#- \n", max_size=30))


def document(text: str) -> Document:
    """A document with every kind of block, and `text` everywhere a text is possible."""
    measured = Measured(0.9, 0.8, 0.95, text)
    arms: tuple[tuple[str, Role], ...] = ((text, "main"), (text, "second"), (text, "third"), (text, "fourth"))
    table = Table(
        text,
        (Column(text), Column(text), Column("n", number=True)),
        (Row((text, text, "1.0")), Row((text, text, "22.0"), strong=True)),
        code=True,
    )
    series = (Series(text, (0.0, 1.0, 2.0), (2.0, 1.0, 0.5)), Series(text, (), (), "second"))
    answers = (
        Answer(text, text, True, "second", (text,)),
        Answer(text, text, False, "main", (text,), (Span(0, 3), Span(2, 5), Span(400, 500))),
        Answer(text, text, None),
    )
    blocks = (
        Words(text, "quiet"),
        Facts((Fact(text, text, text), Fact(text, text)), large=True),
        Facts((Fact(text, text, text), Fact(text, text))),
        table,
        Intervals(text, text, arms, (IntervalRow(text, (measured, None, measured, measured), aside=text),), text),
        Charts(
            (
                Chart(text, text, series, marks=(Mark(1.0, text), Mark(1.5, text, 0.5, None))),
                Chart(text, text, series, "share"),
            ),
            table,
        ),
        QuestionAnswers(text, text, answers),
        QuestionAnswers(text, text, answers, beside=False),
    )
    return Document(text, text, text, "open", (Section("one", text, blocks), Section("two", text, ())), text)
