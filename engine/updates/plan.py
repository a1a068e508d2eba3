"""The plan of an update: from the dataset that was frozen last to the current prompt and rules.

Reads the project once and changes nothing. If a part of the update is already done, it plans the rest.
"""

from collections import Counter
from dataclasses import dataclass

from engine.errors import UsageError
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.question import Split
from engine.records.rule import Rule
from engine.records.run import Run
from engine.updates.changes import PassageChange, RuleChange, compare_passages, compare_rules
from engine.updates.touched import Kept, Touched, sort_answers

ASKED_SPLITS: tuple[Split, ...] = ("train", "validation")


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """What an update would do. If nothing changed since the dataset was frozen, the answers are left alone."""

    old: DatasetSummary
    old_version: int
    version: int
    rules_known: bool  # whether the rules that the old dataset was frozen with are stored
    rules: tuple[RuleChange, ...]
    passages: tuple[PassageChange, ...]
    kept: tuple[Kept, ...]
    touched: tuple[Touched, ...]
    asks: tuple[tuple[int, int], ...]  # (question id, number of answers still to ask for)
    run: Run | None  # the newest finished run, which training starts from

    @property
    def changed(self) -> bool:
        """Whether the dataset was frozen with another prompt or other rules than the current ones."""
        return self.old_version != self.version or bool(self.rules)

    @property
    def to_ask(self) -> int:
        """The number of answers still to ask for."""
        return sum(count for _, count in self.asks)


def plan_update(project: Project, *, by_rules_alone: bool = False) -> UpdatePlan:
    """Compare versions and sort the old answers. `by_rules_alone`: ignore changed passages that no rule covers.

    Raises UsageError without a prompt, and NotFoundError without a dataset.
    """
    with project.snapshot():
        prompt, old = project.prompts.require(), project.datasets.require_latest()
        versions = {found.prompt.sha256: found.version for found in project.prompts.versions()}
        if old.prompt_sha256 not in versions:
            raise UsageError(
                "The dataset's prompt is gone.",
                f"No version has the hash {old.prompt_sha256[:12]}.",
                "Generate and freeze again.",
            )
        before, rules = project.prompts.by_sha256(old.prompt_sha256), project.rules.all()
        frozen_rules = project.datasets.rules_of(old.sha256)
        questions = {question.id: question for split in ASKED_SPLITS for question in project.questions.all(split)}
        answers = project.examples.all(old.prompt_sha256)
        present = project.examples.all(prompt.sha256)
        runs = [run for run in project.runs.all() if run.state == "done" and run.config.base == old.base]
    changes = compare_rules(frozen_rules, rules) if frozen_rules is not None else ()
    passages: tuple[PassageChange, ...] = ()
    if not by_rules_alone:
        speaking = changes if frozen_rules is not None else tuple(_unknown(rule) for rule in rules)
        passages = compare_passages(before, prompt, speaking)
    same_prompt = old.prompt_sha256 == prompt.sha256
    if same_prompt:  # later answers were not given under the older rules
        answers = tuple(curated for curated in answers if curated.example.created_at <= old.created_at)
        present = tuple(curated for curated in present if curated.example.created_at > old.created_at)
    if same_prompt and not changes:
        answers, questions = (), {}
    kept, touched = sort_answers(answers, questions, rules, changes, passages)
    wanted = Counter(row.curated.example.key.question_id for row in touched)
    asked = {curated.example.key.question_id for curated in answers}
    wanted.update(question_id for question_id in questions if question_id not in asked)
    fresh = Counter(c.example.key.question_id for c in present if not c.example.carried_from)
    left = {question_id: count - fresh[question_id] for question_id, count in sorted(wanted.items())}
    return UpdatePlan(
        old=old,
        old_version=versions[old.prompt_sha256],
        version=versions[prompt.sha256],
        rules_known=frozen_rules is not None,
        rules=changes,
        passages=passages,
        kept=kept,
        touched=touched,
        asks=tuple((question_id, count) for question_id, count in left.items() if count > 0),
        run=runs[-1] if runs else None,
    )


def _unknown(rule: Rule) -> RuleChange:
    return RuleChange("added", None, rule)
