"""Where the student falls behind: rules that it fails and the reference passes, question by question. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from engine.records.evaluation import ArmAnswer, ArmName


@dataclass(frozen=True, slots=True)
class Lapse:
    """One question. `rules` are those that the student failed in a sample where the reference passed them."""

    question_id: int
    broken: int  # such failures, summed over the samples
    rules: tuple[int, ...]
    samples: int
    worst_sample: int  # the sample with the most failures
    passes: bool = False  # whether the student passes every rule in all of these samples


def find_lapses(answers: Iterable[ArmAnswer], reference: ArmName) -> tuple[Lapse, ...]:
    """Return every question that both arms answered, worst first, those without a lapse last; ties by number."""
    broken: dict[int, dict[int, dict[ArmName, set[int]]]] = defaultdict(lambda: defaultdict(dict))
    for answer in answers:
        if answer.arm in ("distilled", reference):
            found = {check.rule_id for check in answer.checks if not check.passed}
            broken[answer.question_id][answer.sample][answer.arm] = found
    lapses = []
    for question_id, by_sample in broken.items():
        behind = {
            sample: arms["distilled"] - arms[reference]
            for sample, arms in sorted(by_sample.items())
            if "distilled" in arms and reference in arms
        }
        if behind:
            lapses.append(
                Lapse(
                    question_id=question_id,
                    broken=sum(map(len, behind.values())),
                    rules=tuple(sorted(set().union(*behind.values()))),
                    samples=len(behind),
                    worst_sample=max(behind, key=lambda sample: (len(behind[sample]), -sample)),
                    passes=not any(by_sample[sample]["distilled"] for sample in behind),
                )
            )
    return tuple(sorted(lapses, key=lambda lapse: (-lapse.broken, lapse.question_id)))
