"""Rules proposed from a prompt's headings, lists and sentences, without any model. Pure and deterministic.

What a sentence asks for beyond doubt becomes a check; a demand that holds in some cases only, or that no check
measures, is proposed as a rubric. Decides nothing: a person confirms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.prompts.checkable import checks_of
from engine.prompts.demands import read_demands
from engine.records.prompt import Prompt
from engine.records.proposal import Proposal
from engine.records.rule import Check, Rule
from engine.rules.documents import MAX_TEXT_CHARACTERS


def propose_rules(prompt: Prompt, rules: Sequence[Rule] = ()) -> tuple[Proposal, ...]:
    """One proposal a check, or a rubric where a demand has none, in the order of the prompt.

    `rules`: the project's; a proposal that says what one of them says names it.
    """
    found: list[Proposal] = []
    for demand in read_demands(prompt):
        if len(demand.text) > MAX_TEXT_CHARACTERS:
            continue
        checks: tuple[Check | None, ...] = () if demand.conditional else checks_of(demand.text)
        found += [Proposal(demand.text, check, demand.message, demand.span, demand.line) for check in checks or (None,)]
    return known_marked(found, rules)


def known_marked(proposals: Iterable[Proposal], rules: Sequence[Rule]) -> tuple[Proposal, ...]:
    """The proposals without repeats, each with the number of the rule that has its check or its words already."""
    by_check = {rule.check: rule.id for rule in reversed(rules)}
    by_text = {_words(rule.text): rule.id for rule in reversed(rules)}
    found: dict[object, Proposal] = {}
    for proposal in proposals:
        key = proposal.check or _words(proposal.text)
        number = by_check.get(proposal.check, 0) if proposal.check else by_text.get(_words(proposal.text), 0)
        found.setdefault(key, replace(proposal, rule=number))
    return tuple(found.values())


def rules_of(proposals: Iterable[Proposal]) -> tuple[Rule, ...]:
    """The rules that the project has not; a demand that no check measures is a rubric. The store numbers them."""
    return tuple(
        Rule(0, proposal.text, proposal.check or Check("rubric")) for proposal in proposals if not proposal.rule
    )


def _words(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!")
