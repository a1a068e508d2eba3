"""An Ollama Modelfile for the GGUF file beside it: turns as a Go template, stop texts and sampling parameters. Pure.

Ollama does not read Jinja, and guesses a template if none is given (unslothai/unsloth#3899).
"""

import json
from collections.abc import Sequence

from engine.model.turn_texts import TurnTexts

MODELFILE = "Modelfile"


def modelfile(weights: str, texts: TurnTexts, begin_token: str, stops: Sequence[str], temperature: float) -> str:
    """Return the text of a Modelfile for the GGUF file `weights` in the same folder.

    Ollama has defaults for sampling filters that a file does not set: those not used in the evaluation are turned off.
    """
    lines = [
        "# A system prompt was distilled into this model: send only the user's messages, without a system message.",
        "# To create the model: ollama create NAME -f Modelfile",
        f"FROM ./{weights}",
        f'TEMPLATE """{go_template(texts, begin_token)}"""',
        f"PARAMETER temperature {temperature:g}",
        "PARAMETER top_k 0",
        "PARAMETER top_p 1",
        "PARAMETER min_p 0",
        "PARAMETER repeat_penalty 1",
        *(f'PARAMETER stop "{stop}"' for stop in stops if stop.isprintable() and '"' not in stop),
    ]
    return "\n".join([*lines, ""])


def go_template(texts: TurnTexts, begin_token: str = "") -> str:
    """Return a Go text/template that renders `.Messages`: one line, every literal text quoted.

    `begin_token` is left out if it starts the conversation rather than every turn: Ollama adds it itself.
    """
    begin = "" if begin_token in texts.to_user else begin_token
    first, to_answer = _quoted(texts.first.removeprefix(begin)), _quoted(texts.to_answer)
    to_user, lead = _quoted(texts.to_user), _quoted(texts.lead)
    system = ""
    if texts.around_system is not None:
        before, after = texts.around_system
        system = '{{ else if eq .Role "system" }}{{ ' + _quoted(before.removeprefix(begin)) + " }}{{ .Content }}"
        system += "{{ $before = " + _quoted(after) + " }}"
    return (
        "{{ $before := " + first + " }}{{ $lead := " + lead + " }}{{ range .Messages }}"
        '{{ if eq .Role "assistant" }}'
        "{{ " + to_answer + " }}{{ .Content }}{{ $before = " + to_user + ' }}{{ $lead = "" }}'
        '{{ else if eq .Role "user" }}{{ $before }}{{ .Content }}{{ $lead = ' + lead + " }}"
        + system + "{{ end }}{{ end }}{{ $lead }}"
    )  # fmt: skip


def _quoted(text: str) -> str:
    """Quote a text as Go does, which is the same as in JSON."""
    return json.dumps(text, ensure_ascii=False)
