"""The synthesize job: a teacher names topics that cover the prompt, then writes questions for each.

Each topic's questions are stored as they arrive, because they are paid for even if a later request fails. A resumed job
continues with the named topics that are still open. A job started while another one asks waits for it, and then skips
the topics that have questions.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from engine.jobs.context import JobContext
from engine.jobs.pace import seconds_left
from engine.jobs.protocol import AnswerEnded, AnswerStarted, Note, Progress
from engine.paths import write_atomically
from engine.questions.duplicates import find_duplicates
from engine.questions.synthesis import (
    SOURCE,
    name_topics,
    reply_tokens,
    without_last_item,
    write_alike,
    write_questions,
)
from engine.records.options import SynthesizeOptions
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.teachers.ask import ask
from engine.teachers.ledger import Ledger
from engine.wording import counted

_TOPICS_FILE = "topics.json"  # the topics named so far; with `like`, the ids of the questions that are done


def run(context: JobContext, options: SynthesizeOptions) -> None:
    """Write questions.

    Raises `UsageError` without a prompt, `TeacherError` and `ModelError` from the teacher, and `JobStopped` between
    requests.
    """
    context.emit(Progress(0, options.topics, "preparing"))
    with context.take_turn("questions", "asks for questions"):
        _ask(context, options)


def _ask(context: JobContext, options: SynthesizeOptions) -> None:
    prompt = context.project.prompts.require()
    holding: AbstractContextManager[object] = nullcontext()
    if options.teacher.kind == "local":
        from engine.model.load import device_name

        holding = context.hold_device(device_name("auto"))
    with holding:
        (_write_alike if options.like else _write)(context, options, prompt)
    context.write_timing("questions")


def _teacher(context: JobContext, options: SynthesizeOptions, topics: int) -> Callable[[Sequence[Message]], str]:
    """Return a function that asks the teacher, with room for so many topics. The job can stop between requests."""
    teacher = ask(
        options.teacher,
        context.project.home,
        max_tokens=reply_tokens(topics, options.per_topic),
        seed=options.seed,
        on_cut=partial(_whole_items, context),
        on_note=lambda text: context.emit(Note(text)),
        on_billed=Ledger(context.project, options.teacher, context).bill,
    )

    def asked(messages: Sequence[Message]) -> str:
        context.checkpoint()
        return teacher(messages)

    return asked


def _write(context: JobContext, options: SynthesizeOptions, prompt: Prompt) -> None:
    asked = _teacher(context, options, options.topics)
    file = context.folder / _TOPICS_FILE
    topics = _named_before(file)
    written = dict.fromkeys(q.topic for q in context.project.questions.all() if q.source == SOURCE)
    if not topics:
        context.emit(Progress(0, options.topics, "naming topics"))
        topics = name_topics(asked, prompt, options.topics, tuple(written))
        write_atomically(file, json.dumps(topics).encode())
        context.emit(Note(counted(len(topics), "topic")))
    left = [topic for topic in topics if topic not in written]
    began, done = time.monotonic(), len(topics) - len(left)
    stored = 0
    context.emit(Progress(done, len(topics), "writing questions"))
    _tell_begun(context, left, 0)
    for number, (topic, questions) in enumerate(
        write_questions(asked, prompt, left, options.per_topic, options.seed), start=1
    ):
        added = _store(context, questions)
        stored += added
        context.emit(AnswerEnded(topic, "\n".join(question.text for question in questions), passed=added > 0))
        context.emit(Note(f"{topic}: {len(questions)}"))
        time_left = seconds_left(time.monotonic() - began, number, len(left) - number)
        context.emit(Progress(done + number, len(topics), f"{counted(stored, 'question')} stored", time_left))
        _tell_begun(context, left, number)


def _write_alike(context: JobContext, options: SynthesizeOptions, prompt: Prompt) -> None:
    """Write training questions like those of `options.like`. Near twins of held-out questions are left out."""
    asked = _teacher(context, options, 1)
    everything = context.project.questions.all()
    held_out = tuple(question for question in everything if question.split in ("validation", "test"))
    wanted = [question for question in held_out if question.id in options.like and question.split == "validation"]
    file = context.folder / _TOPICS_FILE
    done = _named_before(file)
    left = [question for question in wanted if str(question.id) not in done]
    began, stored = time.monotonic(), 0
    context.emit(Progress(len(done), len(wanted), "writing questions"))
    for number, (question, written) in enumerate(write_alike(asked, prompt, left, options.per_topic), start=1):
        fresh = _far_from(held_out, written)
        stored += _store(context, fresh)
        done = (*done, str(question.id))
        write_atomically(file, json.dumps(done).encode())
        context.emit(Note(f"like question {question.id}: {len(fresh)} of {len(written)}"))
        time_left = seconds_left(time.monotonic() - began, number, len(left) - number)
        context.emit(
            Progress(len(wanted) - len(left) + number, len(wanted), f"{counted(stored, 'question')} stored", time_left)
        )


def _whole_items(context: JobContext, reply: str) -> str:
    """Return a cut reply without its last item, and report that."""
    context.emit(Note("A reply reached its token limit: its last item is left out."))
    return without_last_item(reply)


def _store(context: JobContext, questions: Sequence[Question]) -> int:
    """Store questions and the time so far, even if the job does not finish; returns how many were new."""
    with context.project.transaction():
        added = context.project.questions.add(questions).added
        context.write_timing("questions")
    return added


def _far_from(held_out: Sequence[Question], written: Sequence[Question]) -> list[Question]:
    """Return the questions that are not near twins of held-out ones: training on twins would distort the evaluation."""
    numbered = [replace(question, id=-place) for place, question in enumerate(written, start=1)]
    twins = {pair.dropped for pair in find_duplicates((*held_out, *numbered))}
    return [question for question, named in zip(written, numbered, strict=True) if named.id not in twins]


def _tell_begun(context: JobContext, topics: Sequence[str], number: int) -> None:
    if number < len(topics):
        context.emit(AnswerStarted(topics[number], "teacher", topics[number]))


def _named_before(file: Path) -> tuple[str, ...]:
    """Return the topics that an earlier process of this job has named, if any."""
    try:
        return tuple(map(str, cast("list[object]", json.loads(file.read_text()))))
    except (OSError, ValueError):
        return ()
