"""Train, validation and test, drawn by whole topics before anything is answered.

A unit is never split up: a topic with all its questions, or a question without a topic, joined with whatever near twins
tie to it (`duplicates.NEAR_TWIN`), so that no near twins are in different splits. Units are placed in seeded random
order, each in the split that needs it most, then moved and swapped as long as that brings the sizes closer to the
fractions, in total and for each gold label. Knows nothing of the store.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from engine.errors import UsageError
from engine.questions.duplicates import UnionFind, ties_to_earlier
from engine.records.question import SPLITS, Question, Split
from engine.wording import percent

_ALL = ""  # key next to the labels: counts all questions
# Costs are integers, so that weights of any size stay exact: an empty split outweighs everything else, and a label
# missing from a split outweighs any misfit. If one split must stay empty, it is validation: nothing can be trained
# without train, and nothing evaluated without test.
_EMPTY: dict[Split, int] = {"train": 4 * 10**30, "test": 2 * 10**30, "validation": 10**30}
_MISSING_LABEL = 10**24
_TWINS_FOLLOW: tuple[Split, ...] = ("test", "validation", "train")  # the first of these that has one of the twins
_PRECISION = 1_000  # steps per question, for target sizes
_MAX_ROUNDS = 20
_FAR, _FEW = 0.1, 2  # a split is far from its share by more than this part of all questions, and this many
_TOPICS_NAMED = 3
_MAX_EXCHANGED_UNITS = 200  # swaps are tried for each pair; with more units, moves alone get close enough


@dataclass(frozen=True, slots=True)
class _Unit:
    ids: tuple[int, ...]
    counts: Mapping[str, int]  # number of questions per label, and in total under `_ALL`


def split_by_topic(
    questions: Sequence[Question], seed: int, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
) -> dict[int, Split]:
    """Return the split of every question, by id. `fractions` are those of train, validation and test.

    A question with a split keeps it. A new near twin of a held-out question is held out with it, and a near twin of a
    training question is trained on. Other new questions follow their topic, or their unit if the topic is new; if these
    are in several splits, the most frequent one. Every split gets a unit if there are enough. Raises UsageError for
    fractions that are negative or do not add up to 1.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UsageError("Invalid fractions", f"They are {fractions}.", "Use three fractions that add up to 1.")
    drawn: dict[int, Split] = {question.id: question.split for question in questions if question.split is not None}
    units: list[_Unit] = []
    placed: list[tuple[_Unit, Split]] = []
    twins = ties_to_earlier(questions)
    lies: defaultdict[str, Counter[Split]] = defaultdict(Counter)
    for question in questions:
        if question.topic and question.split is not None:
            lies[question.topic][question.split] += 1
    for members in _tied(questions, twins):
        kept = next((name for name in _TWINS_FOLLOW if any(member.split == name for member in members)), None)
        if kept is None and (here := sum((lies[member.topic] for member in members), Counter[Split]())):
            most: Split = max(SPLITS, key=here.__getitem__)
            kept = most
        if kept is not None:
            drawn |= {member.id: member.split or kept for member in members}
    for members in _tied(questions, _with_topics(questions, twins)):
        present = Counter(question.split for question in members if question.split is not None)
        if not present:
            units.append(_unit(members))
            continue
        home = max(SPLITS, key=lambda name: present[name])
        for member in members:
            drawn.setdefault(member.id, home)
        placed += [(_unit([m for m in members if drawn[m.id] == split]), split) for split in SPLITS]
    plan = _Plan(dict(zip(SPLITS, fractions, strict=True)), [*units, *(unit for unit, _ in placed)])
    for unit, split in placed:
        plan.add(unit, split)
    for unit, split in zip(units, plan.place(units, seed), strict=True):
        drawn |= dict.fromkeys(unit.ids, split)
    return drawn


def split_notes(
    questions: Sequence[Question], drawn: Mapping[int, Split], fractions: tuple[float, float, float]
) -> tuple[str, ...]:
    """Return what is wrong with a drawn split: held-out twins of training questions (only among questions that had a
    split before), empty splits, and large topics that took a split far from its share.
    """
    total = len(questions)
    counts = Counter(drawn[question.id] for question in questions)
    wanted = dict(zip(SPLITS, fractions, strict=True))
    if not total:
        return ()
    notes = []
    kept = sum(question.split is not None for question in questions)
    if kept and (crossing := _held_out_twins(questions, drawn)):
        repeat = "question nearly repeats" if crossing == 1 else "questions nearly repeat"
        notes.append(f"{crossing:,} held-out {repeat} training questions: remove near-duplicates.")
    empty = [name for name in SPLITS if wanted[name] and not counts[name]]
    # With a topic for each split, only near-duplicates can keep one empty: they are never divided either.
    tied = not kept and bool(empty) and len({question.topic for question in questions if question.topic}) >= len(SPLITS)
    if empty:
        why = "" if kept else ": near-duplicates tie the topics together" if tied else ": too few topics"
        notes.append(f"No questions in {' and '.join(empty)}{why}.")
    if all(abs(counts[name] - wanted[name] * total) <= max(_FAR * total, _FEW) for name in SPLITS):
        return tuple(notes)
    got = ", ".join(f"{name} {percent(counts[name] / total)}" for name in SPLITS)
    shares = f"{got} instead of {', '.join(f'{percent(share)}' for share in fractions)}"
    if kept:
        notes.append(f"The shares are off, because {kept:,} of {total:,} questions keep the split they have: {shares}.")
    elif tied:
        notes.append(f"Near-duplicates are never divided, so the shares are off: {shares}. Remove them first.")
    else:
        notes.append(f"Topics are never divided, so the shares are off: {shares}. Use more topics, or another seed.")
    topics: dict[str, Counter[Split]] = {}
    for question in questions:
        topics.setdefault(question.topic, Counter())[drawn[question.id]] += 1
    untrained = [
        f"No question on “{topic}” is trained: all {here[name]} are in {name}."
        for topic, here in sorted(topics.items(), key=lambda each: -each[1].total())
        for name in SPLITS[1:]
        if topic and here[name] == here.total() > wanted[name] * total
    ]
    return (*notes, *untrained[:_TOPICS_NAMED])


def _held_out_twins(questions: Sequence[Question], drawn: Mapping[int, Split]) -> int:
    """Count the questions in validation and test that are tied to one in train."""
    groups = (
        Counter(drawn[member.id] for member in members) for members in _tied(questions, ties_to_earlier(questions))
    )
    return sum(group.total() - group["train"] for group in groups if group["train"])


def _unit(members: Sequence[Question]) -> _Unit:
    labels = Counter(member.label for member in members if member.label)
    return _Unit(tuple(member.id for member in members), {_ALL: len(members), **labels})


def _with_topics(questions: Sequence[Question], ties: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return each question's ties to earlier ones, including one to the first question of its topic."""
    first: dict[str, int] = {}
    return [
        [*ties[position], *([first.setdefault(question.topic, position)] if question.topic else [])]
        for position, question in enumerate(questions)
    ]


def _tied(questions: Sequence[Question], ties: Sequence[Sequence[int]]) -> list[list[Question]]:
    """Return the groups of questions connected by `ties` (positions), preserving the order."""
    tied = UnionFind(len(questions))
    for position, others in enumerate(ties):
        for other in others:
            tied.tie(position, other)
    groups: dict[int, list[Question]] = {}
    for position, question in enumerate(questions):
        groups.setdefault(tied.root(position), []).append(question)
    return list(groups.values())


class _Plan:
    """The number of questions per label and split, and its cost compared with the targets."""

    def __init__(self, fractions: Mapping[Split, float], units: Sequence[_Unit]) -> None:
        totals: Counter[str] = Counter()
        for unit in units:
            totals.update(unit.counts)
        self._splits = [split for split in SPLITS if fractions[split] > 0]
        self._wanted = {
            split: {key: round(_PRECISION * fractions[split] * n) for key, n in totals.items()} for split in SPLITS
        }
        self._have = {split: dict.fromkeys(totals, 0) for split in SPLITS}

    def add(self, unit: _Unit, split: Split, sign: int = 1) -> None:
        have = self._have[split]
        for key, count in unit.counts.items():
            have[key] += sign * count

    def place(self, units: Sequence[_Unit], seed: int) -> list[Split]:
        """Return the split of each unit, in the given order."""
        order = list(range(len(units)))
        # A reproducible seeded order, not a secret.
        random.Random(seed).shuffle(order)  # noqa: S311
        where: dict[int, Split] = {}
        for number in order:
            unit = units[number]
            where[number] = min(self._splits, key=lambda split: self._change(unit, split))
            self.add(unit, where[number])
        for _ in range(_MAX_ROUNDS):
            if not (self._move(units, order, where) or self._exchange(units, order, where)):
                break
        return [where[number] for number in range(len(units))]

    def _move(self, units: Sequence[_Unit], order: Sequence[int], where: dict[int, Split]) -> bool:
        """Move single units to where they fit better. Returns whether any moved."""
        moved = False
        for number in order:
            unit, old = units[number], where[number]
            self.add(unit, old, -1)
            # The old split comes first, so that ties move nothing.
            choices = [old, *(split for split in self._splits if split != old)]
            where[number] = min(choices, key=lambda split: self._change(unit, split))
            self.add(unit, where[number])
            moved |= where[number] != old
        return moved

    def _exchange(self, units: Sequence[_Unit], order: Sequence[int], where: dict[int, Split]) -> bool:
        """Swap pairs of units between splits if that fits better. Returns whether any were swapped."""
        if len(units) > _MAX_EXCHANGED_UNITS:
            return False
        exchanged = False
        for one, two in combinations(order, 2):
            a, b = where[one], where[two]
            if a == b:
                continue
            before = self._cost(a) + self._cost(b)
            self._swap(units[one], a, units[two], b)
            if self._cost(a) + self._cost(b) < before:
                where[one], where[two] = b, a
                exchanged = True
            else:
                self._swap(units[one], b, units[two], a)
        return exchanged

    def _swap(self, one: _Unit, one_from: Split, two: _Unit, two_from: Split) -> None:
        self.add(one, one_from, -1)
        self.add(two, two_from, -1)
        self.add(one, two_from)
        self.add(two, one_from)

    def _change(self, unit: _Unit, split: Split) -> int:
        """Return how much the split's cost changes if the unit is added."""
        have = self._have[split]
        return sum(
            self._misfit(split, key, have[key] + count) - self._misfit(split, key, have[key])
            for key, count in unit.counts.items()
        )

    def _cost(self, split: Split) -> int:
        return sum(self._misfit(split, key, count) for key, count in self._have[split].items())

    def _misfit(self, split: Split, key: str, count: int) -> int:
        missing = (_EMPTY[split] if key == _ALL else _MISSING_LABEL) if count == 0 else 0
        return (_PRECISION * count - self._wanted[split][key]) ** 2 + missing
