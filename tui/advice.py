"""The engine's advice as the app gives it: where it names a command, the keys that do the same.

Commands without a place in the app stay as they are. Pure; knows the action table and no page.
"""

import re

from tui.keys import key_in_sentence

# A command, and the keys from any pane. The longer of two commands that begin alike comes first.
_KEYS: dict[str, tuple[str, ...]] = {
    "curate accept": ("workspace.curate",),
    "curate check": ("workspace.curate", "curate.check"),
    "curate edit": ("curate.edit",),  # advised only in the review, where the key of the review does something else
    "curate freeze": ("workspace.dataset", "dataset.freeze"),
    "curate list": ("workspace.curate",),
    "curate reject": ("workspace.curate",),
    "estimate": ("workspace.cost",),
    "evaluate": ("workspace.evaluation", "evaluation.evaluate"),
    "export": ("workspace.release", "release.export"),
    "generate": ("workspace.examples", "examples.generate"),
    "jobs follow": ("workspace.jobs",),
    "jobs list": ("workspace.jobs",),
    "jobs resume": ("workspace.jobs", "jobs.resume"),
    "jobs stop": ("workspace.jobs", "jobs.stop"),
    "new": ("workspace.projects", "start.new"),
    "prompt set": ("workspace.prompt",),
    "prompt try": ("workspace.prompt", "prompt.trial"),
    "prompt versions": ("workspace.prompt", "prompt.versions"),
    "questions import": ("workspace.questions", "questions.bring"),
    "questions list": ("workspace.questions",),
    "questions split": ("workspace.questions", "questions.split"),
    "report": ("workspace.evaluation", "evaluation.report"),
    "rules add": ("workspace.prompt", "prompt.rules"),
    "rules list": ("workspace.prompt", "prompt.rules"),
    "settings": ("workspace.settings",),
    "train --run": ("workspace.jobs", "jobs.resume"),
    "train": ("workspace.run", "run.train"),
    "update": ("workspace.update",),
}
_ARGUMENT = r" (?:--[a-z-]+(?: [\w/.…-]*[\w…])?|[A-Z]{2,}|\d+|“…”|\"[^\"]*\"|kind=\w+)"
# Possessive: a foreign text of many arguments and no closing quote would else take minutes.
_ONE = rf"\b(?:{_ARGUMENT})*+(?P=quote)"
_COMMAND = re.compile(
    rf"(?P<run>\bRun:? |\brun )?(?P<quote>`|(?<!`))distill-tui (?P<command>{'|'.join(_KEYS)}){_ONE}"
    rf"(?:, (?P=quote)distill-tui (?P=command){_ONE})*"  # many jobs need many commands, but the same keys
)


def in_app(advice: str) -> str:
    """Return advice with keys in place of commands: “Freeze one: distill-tui curate freeze” is “Freeze one: 4 z”."""
    return _COMMAND.sub(_keys, advice)


def _keys(found: re.Match[str]) -> str:
    run = found["run"] or ""
    press = f"{'P' if run[0].isupper() else 'p'}ress " if run else ""
    # Only the list of projects gives advice on a project that is not open.
    opened = ("start.open",) if "--project" in found[0] else ()
    return press + key_in_sentence(*opened, *_KEYS[found["command"]])
