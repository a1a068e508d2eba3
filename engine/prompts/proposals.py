"""Rules proposed from a prompt's headings, lists and sentences, without any model. Pure and deterministic.

An unambiguous demand becomes a check; one that applies only in some cases, or that no check can measure, is proposed
as a rubric. Adds nothing by itself: a person confirms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.prompts.checkable import checks_of, has_untested_part
from engine.prompts.demands import Demand, read_demands
from engine.records.prompt import Prompt
from engine.records.proposal import Proposal
from engine.records.rule import Check, Rule
from engine.rules.documents import MAX_TEXT_CHARACTERS


def propose_rules(prompt: Prompt, rules: Sequence[Rule] = ()) -> tuple[Proposal, ...]:
    """Return one proposal per check, or a rubric for a demand without one, in the order of the prompt.

    `rules`: the project's rules; a proposal that matches one of them carries its number.
    """
    found: list[Proposal] = []
    for demand in read_demands(prompt):
        if len(demand.text) > MAX_TEXT_CHARACTERS:
            continue
        checks: tuple[Check | None, ...] = () if _needs_judge(demand) else checks_of(demand.text)
        found += [Proposal(demand.text, check, demand.message, demand.span, demand.line) for check in checks or (None,)]
    return mark_existing_rules(found, rules)


def mark_existing_rules(proposals: Iterable[Proposal], rules: Sequence[Rule]) -> tuple[Proposal, ...]:
    """Return the proposals without duplicates, each with the number of the rule that already has its check or text."""
    by_check = {rule.check: rule.id for rule in reversed(rules)}
    by_text = {_words(rule.text): rule.id for rule in reversed(rules)}
    found: dict[object, Proposal] = {}
    for proposal in proposals:
        key = proposal.check or _words(proposal.text)
        number = by_check.get(proposal.check, 0) if proposal.check else by_text.get(_words(proposal.text), 0)
        found.setdefault(key, replace(proposal, rule=number))
    return tuple(found.values())


def rules_of(proposals: Iterable[Proposal]) -> tuple[Rule, ...]:
    """Return the rules that the project does not have; a demand without a check is a rubric. The store numbers them."""
    return tuple(
        Rule(0, proposal.text, proposal.check or Check("rubric")) for proposal in proposals if not proposal.rule
    )


def _needs_judge(demand: Demand) -> bool:
    """Whether a check would test only some of what the demand asks for."""
    return demand.conditional or has_untested_part(demand.text)


def _words(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!")
