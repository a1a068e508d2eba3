"""`distill-tui rules`: the checkable demands of the prompt."""

import dataclasses
import json

import click

from engine.cli.invocation import Invocation, command_options, read_text_argument
from engine.records.rule import Rule


@click.group("rules")
def command() -> None:
    """List, add, import and test the prompt's rules."""


@command.command("list")
@command_options
def list_(invocation: Invocation) -> None:
    """List the rules with their checks."""
    _show(invocation, invocation.project.rules.all())


@command.command("add")
@click.argument("text")
@click.argument("check", nargs=-1, required=True, metavar="CHECK...")
@command_options
def add(invocation: Invocation, text: str, check: tuple[str, ...]) -> None:
    """Add a rule: its TEXT, then its check as FIELD=VALUE words.

    \b
    distill-tui rules add "Starts with a score" kind=pattern pattern='^SCORE: [1-9]'
    distill-tui rules add "At most 40 words" kind=length unit=words max=40
    """
    import yaml

    from engine.errors import UsageError
    from engine.rules.documents import parse_rules

    fields: dict[str, object] = {}
    for word in check:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(
                "The check was not understood.", f"{word!r} is not FIELD=VALUE.", "Write kind=contains text=…"
            )
        # Numbers, lists and truth values are read as YAML; patterns and texts stay as they were typed.
        try:
            fields[name] = value if name in ("pattern", "text", "code", "kind", "schema") else yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise UsageError(
                "The check was not understood.",
                f"{word!r} is no YAML after its =.",
                "Write texts='[one, two]' or max=40",
            ) from None
    document = yaml.safe_dump({"rules": [{"text": text, "check": fields}]}, allow_unicode=True)
    _show(invocation, invocation.project.rules.add(parse_rules(document, "the command line")))


@command.command("import")
@click.argument("source", metavar="FILE|-")
@click.option("--replace", is_flag=True, help="Replace all present rules instead of adding.")
@command_options
def import_(invocation: Invocation, source: str, replace: bool) -> None:
    """Import rules from a YAML file."""
    from engine.rules.documents import parse_rules

    rules = parse_rules(read_text_argument(source), source)
    table = invocation.project.rules
    _show(invocation, table.replace_all(rules) if replace else table.add(rules))


@command.command("remove")
@click.argument("number", type=int)
@command_options
def remove(invocation: Invocation, number: int) -> None:
    """Remove rule NUMBER."""
    invocation.project.rules.remove(number)
    invocation.finish(f"Removed rule {number}.", {"removed": number})


@command.command("test")
@click.argument("answer", required=False)
@click.option("--label", default=None, help="The question's gold label, for label rules.")
@command_options
def test(invocation: Invocation, answer: str | None, label: str | None) -> None:
    """Check a pasted ANSWER (or standard input) against every rule."""
    from engine.records.prompt import Message
    from engine.records.question import Question
    from engine.rules.checks import check_answer

    text = answer if answer is not None else read_text_argument("-").rstrip("\r\n")
    rules = invocation.project.rules.all()
    results = check_answer(rules, text, Question((Message("user", ""),), label=label))
    by_id = {rule.id: rule for rule in rules}
    invocation.finish(
        "\n".join(
            f"{r.rule_id} {'✓' if r.passed else '✗'} {by_id[r.rule_id].text}" + (f"  ({r.note})" if r.note else "")
            for r in results
        )
        or "The project has no rules.",
        {
            "passed": all(r.passed for r in results),
            "rules": [{"id": r.rule_id, "passed": r.passed, "note": r.note} for r in results],
        },
    )


def _show(invocation: Invocation, rules: tuple[Rule, ...]) -> None:
    rows = [{"id": rule.id, "text": rule.text, "check": dataclasses.asdict(rule.check)} for rule in rules]
    invocation.finish(
        "\n".join(f"{rule.id:>3}  {rule.text}  [{_check_words(rule)}]" for rule in rules)
        or "No rules yet. Import some: distill-tui rules import FILE",
        {"rules": rows},
    )


def _check_words(rule: Rule) -> str:
    check = rule.check
    match check.kind:
        case "length":
            return f"{check.min or 0} to {check.max if check.max is not None else 'any'} {check.unit}"
        case "label":
            return f"label of {', '.join(check.labels)}" + (", equal to the gold label" if check.gold else "")
        case "forbidden":
            return "forbidden " + json.dumps(list(check.texts), ensure_ascii=False)
        case _:
            return f"{check.kind} {check.pattern or check.text or check.code}".strip()
