"""One question and every arm's answer to it: side by side if there is room, else one below the other. Pure."""

from textual.content import Content

from engine.evaluation.verdict import ending_text
from engine.records.evaluation import ArmAnswer, Evaluation
from engine.records.rule import Rule
from tui.keys import key_of
from tui.panes.evaluation.state import EvaluationState
from tui.panes.parts import broken_rule, marked_answer, title
from tui.panes.view import View
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, justify, shorten, wrap

_NARROWEST = 26  # cells of the narrowest readable column
_GAP = 3


def reading(view: View, state: EvaluationState, evaluation: Evaluation) -> list[Content]:
    """The answers to the question under the cursor, in the current sample."""
    width, lapse = view.width, state.lapse
    if lapse is None:
        return []
    question = state.answers.questions[lapse.question_id]
    place = f"question {state.row + 1:,} of {len(state.answers.lapses):,}"
    samples = state.samples()
    sample = f"sample {samples.index(state.sample) + 1} of {len(samples)}" if state.sample in samples else ""
    lines = title("Answers", place, "   ".join(part for part in (sample, f"run {evaluation.run_id}") if part), width)
    if len(question.messages) > 1:
        lines.append(Content.styled(f"after {len(question.messages) - 1} earlier messages", DIM))
    lines += [Content.styled(line, STRONG) for line in wrap(question.text, width)[:6]]
    lines.append(Content.styled(shorten(f"topic {question.topic}", width), DIM) if question.topic else Content(""))
    lines.append(Content(""))
    answers = state.side_by_side([name for name, _ in evaluation.arms])
    rules = view.facts.rules
    column = (width - _GAP * (len(answers) - 1)) // max(len(answers), 1)
    if column >= _NARROWEST:
        lines += _columns([_answer(answer, evaluation, rules, column) for answer in answers], column)
    else:
        for answer in answers:
            lines += [*_answer(answer, evaluation, rules, width), Content("")]
    return [
        *lines,
        Content(""),
        Content.assemble(
            (key_of("answers.previous_answer", "answers.next_answer"), ACCENT),
            (" sample, then question   ", DIM),
            (key_of("answers.line_down", "answers.line_up"), ACCENT),
            (" question   ", DIM),
            (key_of("answers.leave_answers"), ACCENT),
            (" back to the table", DIM),
        ),
    ]


def _answer(answer: ArmAnswer, evaluation: Evaluation, rules: tuple[Rule, ...], width: int) -> list[Content]:
    """One arm's answer under its name, with the failing words marked, and the rules that it fails."""
    broken = [check for check in answer.checks if not check.passed]
    found = ("✗ " + str(len(broken)), BAD) if broken else ("✓", GOOD)
    reference = " (reference)" if answer.arm == evaluation.reference and width >= _NARROWEST + 8 else ""
    head = justify(
        Content.assemble(
            (shorten(answer.arm, width), ACCENT if answer.arm == "distilled" else STRONG), (reference, DIM)
        ),
        Content.assemble(found, (f"  {answer.completion_tokens} tok", DIM)),
        width,
    )
    texts = {rule.id: rule.text for rule in rules}
    lines = [
        head,
        Content.styled("─" * width, DIM),
        *(marked_answer(answer.answer, answer.checks).wrap(width) or [Content("")]),
    ]
    if ending := ending_text(answer, evaluation):
        lines.append(Content.styled(shorten(ending, width), WARN if answer.finish_reason == "length" else DIM))
    lines.append(Content(""))
    for check in broken:
        words = broken_rule(check, texts.get(check.rule_id, ""))
        lines += [
            Content.assemble(("✗ " if first else "  ", BAD), line)
            for first, line in zip((True, False, False), wrap(words, width - 2), strict=False)
        ]
    if not broken:
        lines.append(Content.assemble(("✓ ", GOOD), (shorten("passes every rule", width - 2), DIM)))
    return lines


def _columns(blocks: list[list[Content]], width: int) -> list[Content]:
    """Blocks side by side, each line of exactly `width` cells."""
    height = max(map(len, blocks), default=0)
    lines = []
    for index in range(height):
        parts: list[Content | str] = []
        for block in blocks:
            cell = block[index] if index < len(block) else Content("")
            parts += [" " * _GAP] if parts else []
            parts += [cell.truncate(width), " " * max(width - cell.cell_length, 0)]
        lines.append(Content.assemble(*parts))
    return lines
