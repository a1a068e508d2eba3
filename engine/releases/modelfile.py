"""An Ollama Modelfile for a GGUF file beside it: the student's turns as a Go template, its stops, how it samples. Pure.

Ollama reads no Jinja, and guesses at a template where none is given (unslothai/unsloth#3899).
"""

import json
from collections.abc import Sequence

from engine.model.turn_texts import TurnTexts

MODELFILE = "Modelfile"


def modelfile(weights: str, texts: TurnTexts, begin_token: str, stops: Sequence[str], temperature: float) -> str:
    """The file's text, for the GGUF file `weights` in the same folder.

    Ollama fills in filters of its own where the file is silent: those that the evaluation did not use are turned off.
    """
    lines = [
        "# The prompt is inside: send the user's messages alone. ollama create NAME -f Modelfile",
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
    """What writes a conversation in Go's text/template, from `.Messages`: one line, all of a text's own in quotes.

    `begin_token` is left out where it begins the conversation, and not every turn: Ollama puts it there itself.
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
    """A text as Go quotes it, which is as JSON does."""
    return json.dumps(text, ensure_ascii=False)
