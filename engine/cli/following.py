"""Follows a job in a terminal or a log: prints progress to standard error, and ends when the job ends.

Ctrl-C and SIGTERM stop following, never the job. Knows the events of the protocol and nothing of what a stage does.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from engine.clean import clean_line, clean_text
from engine.cli.invocation import Invocation, tell
from engine.errors import JobError
from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswerStarted,
    Event,
    Metrics,
    Note,
    Progress,
    SampleAnswer,
    Spent,
    StageStarted,
    StateChanged,
    WorstTokens,
)
from engine.records.job import Job, resume_advice
from engine.records.options import JobOptions
from engine.status import job_json
from engine.wording import answers_pass, duration

_LINE_EVERY_S = 5.0


class TerminatedError(KeyboardInterrupt):
    """The process received a signal that ends it, other than Ctrl-C's. `status`: its exit status then."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number


def start_and_follow(invocation: Invocation, options: JobOptions, *, detach: bool) -> Job | None:
    """Start a job. With `detach`, print its id and return None; otherwise follow it and return it when it is done.

    Raises JobError when the job failed or was stopped.
    """
    job = invocation.project.start_job(options)
    if detach:
        announce(invocation, job)
        return None
    return follow_job(invocation, job)


def announce(invocation: Invocation, job: Job, became: str = "started") -> None:
    """Print the id of a job that is not followed: it may be running, or waiting for another one."""
    invocation.finish(
        f"Job {job.id} ({job.kind}) was {became}. Follow it: distill-tui jobs follow {job.id}",
        {"job": job_json(invocation.project, job)},
    )


def watch_server(invocation: Invocation, job: Job) -> None:
    """Like `follow_job`, for a server job: being stopped counts as a normal end."""
    ended = _followed(invocation, job)
    if ended.state not in ("done", "stopped"):
        invocation.say(clean_text(f"{_ended(ended)} {ended.note}".strip()))
        raise click.exceptions.Exit(1)


def follow_job(invocation: Invocation, job: Job) -> Job:
    """Print a job's events until it ends.

    Raises JobError when it failed, click.Abort on Ctrl-C, and click's Exit with status 143 on SIGTERM.
    """
    ended = _followed(invocation, job)
    if ended.state != "done":
        # The note of a job that can only be resumed ends with that advice; a failure may suggest something better.
        why = ended.note.removesuffix(resume_advice(ended.id)).rstrip()
        next_step = "" if "distill-tui " in why else f"Resume it: distill-tui jobs resume {ended.id}"
        error = JobError(_ended(ended), why, next_step)
        error.details = {"job": job_json(invocation.project, ended)}
        raise error
    return ended


def _ended(job: Job) -> str:
    return f"Job {job.id} ({job.kind}) {job.state_text}."


def _followed(invocation: Invocation, job: Job) -> Job:
    from engine.jobs.follow import follow, latest_state_at

    lines, latest_at = ProgressLines(invocation), latest_state_at(invocation.project.folder / job.folder)
    entered_at = time.time() if latest_at is None else latest_at
    try:
        with raising_signals(signal.SIGTERM):
            for stamped in follow(invocation.project, job.id):
                # What the user should know or do about a state that is over no longer holds.
                if stamped.at >= entered_at or not isinstance(stamped.event, StateChanged):
                    lines.show(stamped.event)
    except KeyboardInterrupt as interrupt:
        lines.end()
        job = invocation.project.jobs.get(job.id)
        verb = "Resume" if job.state == "paused" else "Follow"
        does = {"waiting": "keeps waiting", "paused": "stays paused"}.get(job.state, "keeps running")
        invocation.say(
            f"Stopped following. Job {job.id} ({job.kind}) {does}. "
            f"{verb} it: distill-tui jobs {verb.lower()} {job.id}. Stop it: distill-tui jobs stop {job.id}"
        )
        invocation.finish("", {"job": job_json(invocation.project, job)})
        if isinstance(interrupt, TerminatedError):
            raise click.exceptions.Exit(interrupt.status) from None
        raise click.Abort from None
    lines.end()
    return invocation.project.jobs.get(job.id)


@contextmanager
def raising_signals(*numbers: signal.Signals) -> Iterator[None]:
    """Raise `TerminatedError` on these signals, as Ctrl-C raises its own; outside the main thread nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminated(number: int, _frame: FrameType | None) -> NoReturn:
        raise TerminatedError(number)

    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores one
    before = {number: signal.signal(number, terminated) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


class ProgressLines:
    """Turns events into lines: one line redrawn in place on a terminal, an occasional line elsewhere."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._open = False
        self._last_line = ""
        self._last_line_at = 0.0
        self._measured = ""

    def show(self, event: Event) -> None:
        """Print what this event reports, if anything."""
        match event:
            case Progress(done, total, note, seconds_left, failed):
                left = f"  {duration(seconds_left)} left" if seconds_left is not None else ""
                reached = f"{done} of {total}" if total else ""  # nothing is counted while a model is loaded
                self._redraw(f"{note} {reached}{left}{self._measured}".strip(), done + failed >= total)
            case Metrics(_, epoch, values, measure):
                if "validation_kl" in values:
                    passing = answers_pass(values.get("all_rules"), round(values["asked"])) if "asked" in values else ""
                    name = clean_line(measure) or "validation KL"
                    self._line(f"epoch {epoch:.1f}  {name} {values['validation_kl']:.3f}{passing}")
                elif "loss" in values:
                    self._measured = f"  loss {values['loss']:.3f}"
            case SampleAnswer(step, _, answer, passed):
                self._line(f"step {step:>4} {'✓' if passed else '✗'} {clean_line(answer, 100)}")
            case StateChanged("running", note) if note:  # as of a server: what it loads, then its address
                self._line(clean_line(note))
            case StateChanged("waiting", note):
                self._line(f"waiting: {clean_line(note)}".rstrip(": "))
            case StateChanged("paused", note):  # the note names the state itself
                self._line(clean_line(note))
            case StageStarted(station):
                self._measured = ""
                self._line(f"── {station}")
            case Note(text):
                self._line(clean_line(text))
            case AnswerStarted() | AnswerDelta() | AnswerEnded() | Spent() | StateChanged() | WorstTokens():
                pass

    def end(self) -> None:
        """Close the line that is being redrawn."""
        if self._open:
            tell()
            self._open = False

    def _redraw(self, text: str, last: bool) -> None:
        if self._invocation.live:
            tell(f"\r\x1b[K{clean_line(text, 100)}", nl=last)
            self._open = not last
        elif text != self._last_line and (last or time.monotonic() - self._last_line_at >= _LINE_EVERY_S):
            self._last_line, self._last_line_at = text, time.monotonic()
            tell(clean_line(text))

    def _line(self, text: str) -> None:
        if self._open:
            tell("\r\x1b[K", nl=False)
            self._open = False
        tell(text)
