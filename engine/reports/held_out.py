"""Where the student diverges most from the prompted model on held-out answers, as a section. Pure."""

from engine.evaluation.held_out import rules_named, rules_text
from engine.records.evaluation import HeldOutAnswer, HeldOutToken
from engine.reports.document import Block, Column, Row, Section, Table, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING
from engine.reports.token_text import end_of, token_word
from engine.wording import shortened

_QUESTION = 80  # characters


def held_out(facts: ReportFacts) -> Section | None:
    """The worst tokens and answers of the student; None if they were not kept."""
    student = facts.proof.arm("distilled").kl_to_prompted
    if student is None or not student.worst_tokens:
        return None
    tokens = Table(
        "Held-out tokens",
        (
            Column("prompted answer, up to the token"),
            Column("token"),
            Column("prompted"),
            Column("student"),
            Column("rule"),
            Column("nats", number=True),
        ),
        tuple(map(_token, student.worst_tokens)),
        code=True,
    )
    answers = Table(
        "Held-out answers, by mean divergence per token",
        (
            Column("question"),
            Column("student's answer fails"),
            Column("tokens", number=True),
            Column("nats", number=True),
        ),
        tuple(_answer(facts, each) for each in student.worst_answers),
    )
    blocks: list[Block] = [
        Words(
            "Along the prompted model's own held-out answers: the tokens where the student diverges most, the token "
            "that each model finds most likely there, and the rules involved."
        ),
        tokens,
        answers,
    ]
    return Section("heldout", "Where the student diverges most", tuple(blocks))


def _token(token: HeldOutToken) -> Row:
    return Row(
        (
            end_of(token.before),
            token_word(token.token),
            token_word(token.prompted),
            token_word(token.arm),
            rules_text(token) or MISSING,
            f"{token.kl:.2f}",
        ),
        strong=bool(set(token.fixed_by) & set(token.broken)),
    )


def _answer(facts: ReportFacts, answer: HeldOutAnswer) -> Row:
    question = facts.answered.questions.get(answer.question_id)
    text = f"question {answer.question_id}" if question is None else " ".join(question.text.split())
    broken = rules_named(answer.broken) if answer.broken else "no rule"
    return Row(
        (shortened(text, _QUESTION), broken, f"{answer.tokens:,}", f"{answer.kl:.2f}"), strong=bool(answer.broken)
    )
