"""Releases as lines: what can be exported, with its verdict; what was, where it is and how to check it. Pure."""

from textual.content import Content

from engine.records.release import Release
from engine.records.station import Station
from engine.wording import percent
from tui.advice import in_app
from tui.keys import key_of
from tui.panes.parts import TO_TRAIN, VERDICTS, first_steps, heading, rests, stale, title, unread
from tui.panes.release.state import ReleaseState
from tui.panes.view import View
from tui.services.job_view import JobView
from tui.services.release import KINDS, Exportable, Released
from tui.widgets.lines import ACCENT, BAD, DIM, STRONG, WARN, duration, fit, format_time, justify, right, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.next_steps import next_steps
from tui.widgets.rows import window

_RUNS_SHOWN = 5
_RELEASES_SHOWN = 8
_NAME, _SIZE = 14, 10  # cells of these columns


def draw(view: View, state: ReleaseState, now: float) -> list[Content]:
    """The lines of this pane. `now` is in seconds since the epoch."""
    if state.card is not None:
        return _card(*state.card, view.width)
    width = view.width
    station = next(each for each in view.facts.stations if each.name == "release")
    lines = _title(view, state)
    if view.job is not None and _makes_release(view.job):
        lines += _work(view, view.job, now)
    else:
        lines += _beside(view, station)
    if state.page is None:
        return [*lines, *unread("the releases", state.failure, width, "workspace.release")]
    lines += _runs(view, state, working=view.job is not None and _makes_release(view.job))
    lines += _releases(state, width)
    return lines


def _makes_release(job: JobView) -> bool:
    """Whether the job makes or measures a release."""
    return job.live and job.station == "release" and job.kind != "serve"


def size(count: int | None) -> str:
    """A number of bytes for display."""
    if count is None:
        return "–"
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count:,} B"


def _work(view: View, job: JobView, now: float) -> list[Content]:
    """What the job is doing and for how long; or why it is not working."""
    if words := rests(view, job):
        return [Content.styled(shorten(words, view.width), WARN), Content("")]
    share = percent(job.share) if job.share is not None else ""
    step = job.progress.note if job.progress is not None else job.notes[-1] if job.notes else "reading base and adapter"
    head = Content.assemble(
        ("● ", ACCENT), ("measuring" if job.kind == "harness" else "exporting", STRONG),
        (f"   {duration(now - job.since)}" if job.since else ""),
    )  # fmt: skip
    progress = shorten("   ".join(part for part in (step, share) if part), max(view.width - head.cell_length - 3, 8))
    return [justify(head, Content.styled(progress, DIM), view.width), Content("")]


def _beside(view: View, station: Station) -> list[Content]:
    """What a job is doing here, or how it failed, while another job is watched."""
    watched = view.facts.newest_job
    if watched is not None and watched.stage == "release":
        return []
    if station.state == "running":
        return [
            Content.styled(shorten(f"● running beside another job   {station.note}", view.width), ACCENT),
            Content(""),
        ]
    if station.state != "failed":
        return []
    return [*(Content.styled(line, BAD) for line in wrap(f"✗ {in_app(station.note)}", view.width)[:5]), Content("")]


def _title(view: View, state: ReleaseState) -> list[Content]:
    count = len(state.releases)
    first, blank = title(
        "Release", f"{count}" if count else "none yet" if state.page is not None else "", "", view.width
    )
    return [first, *stale(view.facts, "release", view.width), blank]


def _runs(view: View, state: ReleaseState, *, working: bool) -> list[Content]:
    width = view.width
    if not state.runs:
        then = ("release.export", "then export it", "distill-tui export")
        steps = first_steps(view.facts, TO_TRAIN, then)
        return [Content("No run has an adapter to export yet."), Content(""), *next_steps(*steps)]
    columns = (("step", 6), ("evaluated", 14), ("recovered", 11), *((f"≈ {kind}", _SIZE) for kind in KINDS))
    lines = [heading(fit("to export", _NAME) + "".join(right(name, cells) for name, cells in columns))]
    lines[0] = lines[0].truncate(width, ellipsis=True)
    lines += [_run(run).truncate(width, ellipsis=True) for run in state.runs[:_RUNS_SHOWN]]
    if len(state.runs) > _RUNS_SHOWN:
        lines.append(
            Content.styled(f"{len(state.runs) - _RUNS_SHOWN} older runs; {key_of('release.export')} offers all", DIM)
        )
    if not state.releases and not working:
        lines += [
            Content(""),
            *next_steps(
                ("release.export", "export one with tokenizer, model card and checksums", "distill-tui export")
            ),
        ]
    return [*lines, Content("")]


def _run(run: Exportable) -> Content:
    verdict, style = VERDICTS[run.verdict] if run.verdict is not None else ("not evaluated", DIM)
    recovered = f"{run.recovered:.2f}" if run.recovered is not None else "–"
    name = f"run {run.run_id}{'' if run.newest_dataset else ' ◐'}"
    return Content.assemble(
        fit(name, _NAME),
        (right(f"{run.best_step:,}", 6), DIM),
        (right(verdict, 14), style),
        right(recovered, 11),
        *((right(size(count), _SIZE), DIM) for count in run.bytes.values()),
    )


def _releases(state: ReleaseState, width: int) -> list[Content]:
    if not state.releases:
        return []
    lines = [heading("exported, newest first")]
    shown = window(state.cursor, _RELEASES_SHOWN, len(state.releases))
    for index in shown:
        here, released = index == state.cursor, state.releases[index]
        release = released.release
        name = fit(f"{release.kind} of run {release.run_id}", 22)
        line = (
            Content.assemble(
                ("▌ " if here else "  ", ACCENT), (name, STRONG if here else ""),
                (format_time(release.created_at), DIM), right(_total(released), 12),
                ("" if released.files else "   ✗ its folder is gone", BAD),
            ).truncate(width, ellipsis=True)
        )  # fmt: skip
        lines.append(numbered(line, index))
        if here:
            lines += _released(released, width)
    if more := len(state.releases) - shown.stop:
        lines.append(Content.styled(f"  and {more} more", DIM))
    return lines


def _released(released: Released, width: int) -> list[Content]:
    folder = wrap(released.folder, width - 2)
    lines = [Content.assemble("  ", (line, ACCENT)) for line in folder[:3]]
    lines[-1] = justify(lines[-1], Content.assemble((key_of("release.copy"), ACCENT), (" copies it", DIM)), width)
    name_width = max(min(30, width - 40), 14)
    digest = max(width - 2 - name_width - 12, 8)
    lines += [
        Content.assemble("  ", fit(file.name, name_width), right(size(file.size_bytes), 10), "  ",
                         (shorten(file.sha256, digest), DIM))
        for file in released.files
    ]  # fmt: skip
    if (parity := released.release.parity) is not None:
        same = f"{parity.same_likeliest:,} of {parity.tokens:,} tokens"
        words = f"{same} as the weights, {parity.mean_difference:.2g} nats apart"
        lines.append(Content.styled(shorten(f"  ✓ llama-server: {words}", width), DIM))
    if released.files:
        lines.append(Content.styled(shorten("  to verify: sha256sum -c SHA256SUMS in that folder", width), DIM))
    return [*lines, Content("")]


def _total(released: Released) -> str:
    return size(sum(file.size_bytes or 0 for file in released.files)) if released.files else ""


def _card(release: Release, text: str, width: int) -> list[Content]:
    of = f"{release.kind} of run {release.run_id}"
    keys = Content.assemble((key_of("release.back"), ACCENT), (" back", DIM))
    lines = [justify(Content.assemble(("Model card", STRONG), "   ", (of, ACCENT)), keys, width), Content("")]
    return [*lines, *(Content.styled(line, STRONG if line.startswith("#") else "") for line in wrap(text, width))]
