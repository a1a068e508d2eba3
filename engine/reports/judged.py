"""What a judge decided, as a section of the report. Pure."""

from engine.reports.document import Block, Section, Words
from engine.reports.facts import ReportFacts
from engine.wording import counted


def judged(facts: ReportFacts) -> Section | None:
    """Who judged, and how far that can be relied on; None where nobody did."""
    found = facts.proof.evaluation.judged
    if found is None:
        return None
    rubrics = [rule.id for rule in facts.proof.arm("distilled").rules if rule.kind == "rubric"]
    blocks: list[Block] = [
        Words(
            f"{found.judge} decided on {'rules' if len(rubrics) > 1 else 'rule'} {', '.join(map(str, rubrics))} by "
            f"rubric, at temperature 0: {counted(found.verdicts, 'verdict')} on the answers of all arms."
        )
    ]
    if found.missing:
        blocks.append(
            Words(
                f"No verdict came for {counted(found.missing, 'request')}, which count neither way ({found.fault}); evaluate "
                "again to ask for them.",
                "bad",
            )
        )
    if found.kin_to:
        blocks.append(
            Words(f"By its name it is of the teacher's family ({found.kin_to}): it may prefer its like.", "open")
        )
    return Section("judge", "The judge", tuple(blocks))
