"""The first half of an update: kept answers become examples of the new version, the rest is asked for.

A person's decisions about kept answers are carried over too; automatic decisions are made again for all answers.
"""

from dataclasses import dataclass, replace
from statistics import median

from engine.project import Project
from engine.records.example import Decision
from engine.records.options import GenerateOptions
from engine.teachers.next_attempts import options_for
from engine.updates.plan import UpdatePlan


@dataclass(frozen=True, slots=True)
class Carried:
    """How many answers were carried over, and the options of the job for the rest; None: nothing is left to ask."""

    answers: int
    options: GenerateOptions | None


def carry(project: Project, plan: UpdatePlan) -> Carried:
    """Store the kept answers for the current prompt and return what is left to ask. Repeating it stores nothing."""
    prompt = project.prompts.require()
    count = 0
    if plan.old.prompt_sha256 != prompt.sha256:
        with project.transaction():
            stored = project.carried.carry(prompt.sha256, [(row.curated.example.id, row.checks) for row in plan.kept])
            by_old = {row.curated.example.id: row.curated for row in plan.kept}
            decisions: list[Decision] = []
            for new_id, old_id in stored.items():
                decision = by_old[old_id].decision
                if decision is not None and decision.source == "person":
                    reason = f"as decided about example {old_id}" + (f": {decision.reason}" if decision.reason else "")
                    decisions.append(replace(decision, example_id=new_id, reason=reason, step=0, created_at=""))
            project.decisions.decide(decisions)
        count = len(stored)
    if not plan.asks:
        return Carried(count, None)
    options = options_for(project, dict(plan.asks))
    answered = [*(row.curated for row in plan.touched), *(row.curated for row in plan.kept)]
    temperatures = [curated.example.temperature for curated in answered]
    return Carried(count, replace(options, temperature=median(temperatures)) if temperatures else options)
