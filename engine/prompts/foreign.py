"""Whether a prompt is in a language whose demands are not read. Knows nothing of projects."""

from engine.prompts.demands import is_demand, read_demands
from engine.records.prompt import Prompt
from engine.rules.language import language_name, other_language
from engine.rules.units import unit_spans

_FEW = 4  # fewer than one demand in as many sentences


def unread_language(prompt: Prompt) -> str:
    """Return the name of the prompt's language if few demands were read because it is not English; else "".

    The language is detected only if few demands were read: on first use, that takes seconds.
    """
    demands = sum(is_demand(demand.text) for demand in read_demands(prompt))
    if not prompt.system or demands * _FEW > len(unit_spans(prompt.system, "sentences")):
        return ""
    return language_name(other_language(prompt.system, "en") or "")
