"""Reads everything the workspace shows from a project when something changed. Knows nothing of threads.

Its imports are heavy, so the reading thread imports it and no screen waits for it.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from engine.curation.meaning import counts_of_now
from engine.jobs.control_file import Asked, asked_of
from engine.jobs.liveness import mark_lost_jobs
from engine.paths import Home
from engine.project import Project
from engine.records.question import SPLITS
from engine.records.selection import Selection
from engine.stations import read_stations
from tui.keys import key_of
from tui.services.facts import Facts, Stream
from tui.services.tokens import PromptTokens, count_for_student

_LATEST = 60  # answers


class Reader:
    """One project, open on the thread that created this, and its facts whenever they change."""

    def __init__(self, folder: Path, home: Home) -> None:
        """Raises `DistillError` if it cannot be opened."""
        self._project = Project.open(folder, home)
        self._tokens = PromptTokens()
        self._seen: tuple[object, ...] = ()

    def close(self) -> None:
        """Close the project; abandon a token count in progress."""
        self._project.close()

    def read_new(self) -> Facts | None:
        """The facts if anything changed since the last read. Raises `DistillError`; the next read is then complete."""
        before, self._seen = self._seen, ()
        mark_lost_jobs(self._project)
        asked = self._asked()
        version = (self._project.version, self._tokens.counted, asked)
        facts = replace(self._facts(), asked=asked) if version != before else None
        self._seen = version
        return facts

    def _asked(self) -> dict[int, Asked]:
        """What live jobs have not yet done though they were asked to; requests are files, unknown to the store."""
        words = ((job.id, asked_of(self._project.folder, job)) for job in self._project.jobs.live())
        return {job_id: word for job_id, word in words if word}

    def _facts(self) -> Facts:
        project = self._project
        version = project.prompts.current()
        settings = project.settings.read()
        counts = counts_of_now(project)
        run = project.runs.latest()
        return Facts(
            project=project.name,
            folder=str(project.folder),
            settings=settings,
            stations=read_stations(project),
            prompt=version.prompt if version else None,
            prompt_version=version.version if version else 0,
            prompt_tokens=self._prompt_tokens(settings.student_base),
            rules=project.rules.all(),
            questions=tuple((split, project.questions.count(split)) for split in SPLITS),
            topics=project.questions.topics(),
            examples=counts,
            older_answers=0 if counts.total else project.examples.count(),
            latest_answers=self._latest_answers(version.prompt.sha256, counts.total) if version else (),
            dataset=project.datasets.latest(),
            run=run,
            trained_run=project.runs.trained_id(),
            evaluation=project.evaluations.latest(),
            releases=project.releases.all(),
            cost=_cost(project, version.prompt.sha256 if version else ""),
            jobs=project.jobs.all(),
        )

    def _prompt_tokens(self, base: str) -> str:
        version = self._project.prompts.current()
        if version is None:
            return ""
        # The first job that uses the starter converts its tokenizer, before anything is answered.
        exactly = partial(count_for_student, self._project.folder, self._project.home, version.version)
        count = self._tokens.of(version.prompt, exactly, base, self._project.examples.newest_id() > 0)
        return f"{count.tokens:,}" if count.exact else f"≈ {count.tokens:,}"

    def _latest_answers(self, prompt_sha256: str, total: int) -> tuple[Stream, ...]:
        project = self._project
        rules = {rule.id for rule in project.rules.all()}
        streams: list[Stream] = []
        for row in project.examples.window(max(total - _LATEST, 0), _LATEST, Selection(prompt_sha256)):
            example, decision = row.example, row.decision
            failed = [check for check in example.checks if not check.passed]
            broken = [check.note for check in failed if check.rule_id in rules]  # others were removed since the check
            good = row.accepted if decision else example.finish_reason == "stop" and not broken
            state: Literal["passed", "failed"] = "passed" if good else "failed"
            why = decision.reason if decision and decision.reason else next(iter(broken), "")
            if decision and decision.source == "rules" and failed and not broken:
                why = f"decided under other rules; {key_of('workspace.curate', 'curate.check')} decides again"
            question = project.questions.get(example.key.question_id)
            streams.append(Stream(str(example.id), "teacher", question.text, row.answer, state, "" if good else why))
        return tuple(streams)


def _cost(project: Project, prompt_sha256: str) -> str:
    """The last estimate: a new one needs the price list, which is only read on demand."""
    outcome = project.settings.cost_outcome()
    if outcome is None:
        return ""
    from engine.economics.outlook import short_verdict  # reads no prices, but its imports can

    return f"{'' if outcome.prompt_sha256 == prompt_sha256 else '◐ '}{short_verdict(outcome)}"
