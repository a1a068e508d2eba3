"""Draw proposed rules, and findings about the prompt, as lines. Pure."""

from textual.content import Content

from engine.prompts.findings import LINE_NUMBERS, TITLES
from engine.rules.described import check_text
from engine.wording import counted
from tui.advice import in_app
from tui.keys import key_of
from tui.panes.parts import title, unread
from tui.panes.prompt.state import FindingsState, ProposalsState
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, shorten, wrap
from tui.widgets.listing import numbered


def draw_proposals(state: ProposalsState, width: int) -> list[Content]:
    """Draw the proposals, each with its check or why it has none."""
    if state.proposals is None:
        return unread("the prompt", state.failure, width, "proposals.back", "prompt.propose")
    if not state.proposals:
        lines = title("Proposed rules", "none", "", width)
        text = "No demands found. They are read from sentences and lists in English only."
        ways = Content.assemble((key_of("proposals.back", "rules.add"), ACCENT), " writes a rule")
        return [*lines, *(Content(line) for line in wrap(text, width)), Content(""), ways]
    lines = title("Proposed rules", f"{len(state.open)} to add", f"{len(state.proposals)} found in the text", width)
    for place, proposal in enumerate(state.proposals):
        chosen = place == state.cursor
        edge = ("▌ " if chosen else "  ", ACCENT)
        if proposal.rule:
            mark, text = ("✓ ", GOOD), f"covered by rule {proposal.rule}"
        elif proposal.check is None:
            mark, text = ("– ", DIM), "rubric for a judge: no check measures it"
        else:
            mark, text = ("○ ", ""), check_text(proposal.check)
        for row, line in enumerate(wrap(proposal.text, max(width - 5, 8))[:4]):
            style = STRONG if chosen else DIM if proposal.rule or proposal.check is None else ""
            lines.append(numbered(Content.assemble(edge, mark if row == 0 else ("  ", ""), (line, style)), place))
        detail = shorten(f"line {proposal.line}   {text}", max(width - 5, 8))
        lines.append(numbered(Content.assemble(edge, "  ", (detail, ACCENT if chosen else DIM)), place))
    return lines


def draw_findings(state: FindingsState, width: int) -> list[Content]:
    """Draw one paragraph per finding: where it is, what is wrong, and what to do."""
    if state.error is not None:
        return [
            *title("Prompt check", "failed", "", width),
            *(Content.styled(line, BAD) for line in wrap(str(state.error), width)),
        ]
    if state.findings is None:
        return [*title("Prompt check", "", "", width), Content.styled("Reading the prompt …", DIM)]
    if not state.findings:
        return [*title("Prompt check", "nothing found", "", width), Content.styled("✓ Nothing found.", GOOD)]
    lines = title("Prompt check", counted(len(state.findings), "finding"), "", width)
    for finding in state.findings:
        place = f"line {finding.line}" if finding.line else "the prompt"
        lines.append(Content.assemble(("! ", WARN), (f"{place}: {TITLES[finding.kind]}", STRONG)))
        if finding.quote:
            lines += [Content.styled(f"    “{line}”", DIM) for line in [shorten(finding.quote, width - 6)]]
        lines += [Content(f"  {line}") for line in wrap(finding.problem, width - 2)]
        lines += [Content.styled(f"  {line}", ACCENT) for line in wrap(in_app(finding.advice), width - 2)]
        lines.append(Content(""))
    return [*lines, *(Content.styled(line, DIM) for line in wrap(LINE_NUMBERS, width))]
