"""The report's content: sections, figures and their order, the same in every format; comparisons of two runs."""

import dataclasses
import re
from collections.abc import Iterator

import pytest

from engine.economics.verdict import headline
from engine.errors import NotFoundError
from engine.evaluation.answers import Answered
from engine.evaluation.report import proof_json
from engine.evaluation.statistics import wilson
from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs
from engine.records.evaluation import Interval
from engine.records.harness import HarnessResult, Score, TaskScore
from engine.records.options import TeacherSpec
from engine.records.run import TrainingConfig
from engine.records.vote import Vote
from engine.reports.build import brief, build
from engine.reports.document import Charts, Document, Facts, Intervals, QuestionAnswers, Table
from engine.reports.facts import read_report
from engine.reports.html import to_html
from engine.reports.markdown import to_markdown
from engine.reports.numbers import usd
from engine.reports.run_comparison import compared_json
from engine.reports.text import to_text
from tests.hostile import control_characters, hostile
from tests.tui.panes.measured_projects import add_measured_evaluation, add_measured_run, make_compared
from tests.tui.seeds import add_dataset, add_examples, make_project


@pytest.fixture
def project(home: Home) -> Iterator[Project]:
    with Project.open(make_compared(home), home) as project:
        yield project


def blocks(document: Document, section: str) -> list[object]:
    return [block for each in document.sections if each.id == section for block in each.blocks]


def table(document: Document, section: str, caption: str) -> Table:
    return next(b for b in blocks(document, section) if isinstance(b, Table) and b.caption.startswith(caption))


def test_loss_is_called_kl_only_if_it_is_a_divergence(project: Project) -> None:
    document = build(read_report(project, compare=1))
    assert "Validation KL, nats per token" in to_text(document) + to_markdown(document) + to_html(document)
    for run in project.runs.all():
        for point in run.curve:
            project.runs.add_curve_point(run.id, dataclasses.replace(point, measure="cross-entropy"))
    document = build(read_report(project, compare=1))
    for output in (to_text(document), to_markdown(document), to_html(document)):
        assert "alidation KL" not in output
        assert "final cross-entropy" in output


def test_every_format_has_the_same_sections_and_figures_in_the_same_order(project: Project) -> None:
    project.settings.write_cost(CostInputs(model="gpt-5", requests_per_day=2000.0, one_time_usd=60.0), None)
    project.votes.add(Vote((), "prompted", "run-2", "", "", "right", blind=True))
    document = build(read_report(project, compare=1))
    titles = [section.title for section in document.sections]
    assert len(titles) == 13
    assert titles[:3] == ["Verdict", "Rule by rule", "Cost"], "whether it works, whether it pays, then the details"
    page = re.sub("<nav.*?</nav>", "", to_html(document))
    assert page != to_html(document)
    for output in (to_text(document), to_markdown(document), page):
        places = [output.index(title) for title in titles]
        assert places == sorted(places)
        for expected in ("94.4", "98", "412", "gpt-5", "RISK SCORE: 3. Three wrong PINs lock the card.", "0.0001",
                      "0.100–0.120", "run-2 over prompted"):  # fmt: skip
            assert expected in output


def test_report_first_answers_whether_it_works_is_current_and_pays(project: Project) -> None:
    answers, figures = blocks(build(read_report(project)), "verdict")
    assert isinstance(answers, Facts)
    assert isinstance(figures, Facts)
    assert [fact.name for fact in answers.rows] == ["Does it work?", "Is it current?", "Does it pay?"]
    assert answers.rows[1].value == "No: measured on an older run."
    assert answers.rows[2].value.endswith("no costs are calculated.")
    project.settings.write_cost(CostInputs(model="gpt-5", one_time_usd=0.0), None)
    facts = read_report(project)
    assert facts.proof.costs is not None
    costs = facts.proof.costs
    answers, figures = blocks(build(facts), "verdict")
    assert isinstance(answers, Facts)
    assert isinstance(figures, Facts)
    assert answers.rows[-1].value == headline(costs)
    saved = figures.rows[-1]
    assert saved.value == usd(costs.uncached.year_usd.value)
    assert saved.note.startswith(usd(costs.cached.year_usd.value))
    assert "an assumed" in saved.note
    text = " ".join(to_text(build(facts)).split())
    assert "any number of them pays" in text
    assert "repaid, prompt cached at once" in text
    assert "0 requests" not in text.replace("000 requests", "")


def test_cost_section_shows_ranges_criteria_sensitivity_and_sources(project: Project) -> None:
    project.settings.write_cost(CostInputs(model="gpt-5", requests_per_day=2000.0, one_time_usd=60.0), None)
    facts = read_report(project)
    document, costs = build(facts), facts.proof.costs
    assert costs is not None
    chart = next(block for block in blocks(document, "cost") if isinstance(block, Charts)).charts[0]
    assert [mark.x for mark in chart.marks] == [case.break_even_days.value for _, case in costs.cases]
    assert all(mark.low is not None and mark.low < mark.x for mark in chart.marks)
    criteria = table(document, "cost", "Criteria for distilling")
    assert [row.cells[0] for row in criteria.rows] == ["volume", "length", "stability", "sameness", "horizon"]
    moves = table(document, "cost", "What affects the savings")
    assert len(moves.rows) == len(costs.sensitivity)
    origins = {row.cells[0]: row.cells[3] for row in table(document, "cost", "Sources of the figures").rows}
    assert origins["requests a day"] == "given"
    assert origins["input price"].startswith("listed: genai-prices")
    assert origins["question tokens"] == "measured: evaluation of run 2"
    assert headline(costs) in to_text(document, 400)


def test_report_defaults_to_the_run_evaluated_last_and_needs_evaluated_runs(project: Project) -> None:
    assert read_report(project).proof.run.id == 2
    assert build(read_report(project, run_id=1)).verdict == "fail"
    with pytest.raises(NotFoundError, match="evaluate --run 3"):
        read_report(project, run_id=3)
    with pytest.raises(NotFoundError):
        read_report(project, run_id=9)
    with pytest.raises(NotFoundError):
        read_report(project, compare=9)


def test_report_names_the_teacher_that_answered_not_the_current_setting(project: Project) -> None:
    settings = project.settings.read()
    current = TeacherSpec("endpoint", "gpt-5", "https://api.openai.com/v1")
    project.settings.write(dataclasses.replace(settings, teacher=current))
    facts = read_report(project)
    assert proof_json(facts.proof)["teacher"] == {"kind": "local", "model": "starter"}
    provenance = next(block for block in blocks(build(facts), "provenance") if isinstance(block, Facts))
    assert [fact.value for fact in provenance.rows if fact.name == "teacher"] == ["starter"]
    assert facts.proof.costs is not None, "the savings are those of today's teacher, gpt-5"


def test_training_section_keeps_the_rule_texts_of_the_training(project: Project) -> None:
    before = project.rules.all()
    project.rules.put([dataclasses.replace(rule, text=f"Another {rule.id}") for rule in before])
    rates = table(build(read_report(project)), "training", "Each rule")
    assert [row.cells[0].partition("\u2002")[2] for row in rates.rows] == [rule.text for rule in before]


def test_comparison_of_runs_lists_differing_settings_results_and_charts(project: Project) -> None:
    document = build(read_report(project, compare=1))
    differing = {row.cells[0]: row.cells[1:] for row in table(document, "compared", "Differences").rows}
    assert differing == {
        "lora rank": ("32", "16"), "lora alpha": ("64", "32"), "learning rate": ("0.0005", "0.0001")
    }  # fmt: skip
    outcomes = {row.cells[0]: row.cells[1:] for row in table(document, "compared", "Results").rows}
    assert outcomes["verdict"] == ("pass", "fail", "")
    rules = next(block for block in blocks(document, "compared") if isinstance(block, Intervals))
    assert [row.name.partition("\u2002")[0] for row in rules.rows] == ["1", "2", "3", "4", "every rule"]
    charts = next(block for block in blocks(document, "training") if isinstance(block, Charts))
    assert [[series.name for series in chart.series] for chart in charts.charts] == 3 * [["run 2", "run 1"]]


def test_difference_between_runs_is_paired_by_question(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_ids = [add_measured_run(project, add_dataset(project), TrainingConfig("starter")) for _ in range(2)]
        for run_id in run_ids:
            add_measured_evaluation(project, run_id, "pass", Interval(0.98, 0.94, 1.02))
        better = read_report(project, run_ids[0], compare=run_ids[1])
        assert better.other is not None
        all_passed = tuple(
            dataclasses.replace(answer, checks=tuple(dataclasses.replace(c, passed=True) for c in answer.checks))
            for answer in better.answered.answers
        )
        better = dataclasses.replace(better, answered=dataclasses.replace(better.answered, answers=all_passed))
        by_rule = table(build(better), "compared", "run 1 compared with run 2")
        rows = {row.cells[0]: row.cells[1:] for row in by_rule.rows}
        compared = compared_json(better)
    assert rows["1\u2002Starts with a risk score"][:3] == ("0 (−28 to +28)", "0", "0")
    # 8 questions of one topic, two of them failed in all 3 samples: two in one direction are no proof.
    all_rules = rows["every rule"]
    assert all_rules[0].startswith("+25.0 (−")
    assert (all_rules[1:4]) == ("2", "0", "0.50")
    second_rule = rows["2\u2002Two short sentences after it"]
    assert second_rule[3] == "1.00", "Holm's correction over four rules: 4 × 0.5, at most 1"
    assert compared is not None
    assert isinstance(compared["all_rules"], dict)
    assert compared["all_rules"]["better"] == 2


def test_votes_are_counted_in_json_and_in_the_document(project: Project) -> None:
    for choice in ("right", "right", "left", "tie"):
        project.votes.add(Vote((), "prompted", "run-2", "a", "b", choice, blind=choice != "tie"))
    project.votes.add(Vote((), "run-1", "prompted", "a", "b", "left", blind=True))
    assert proof_json(read_report(project).proof)["votes"] == [
        {
            "first": "run-2", "second": "prompted", "votes": 4, "first_preferred": 2, "second_preferred": 1, "ties": 1,
            "both_bad": 0, "blind": 3, "win_rate": dataclasses.asdict(wilson(2, 3)),
        }
    ]  # fmt: skip
    (votes,) = [block for block in blocks(build(read_report(project)), "votes") if isinstance(block, Intervals)]
    assert [(row.name, row.aside) for row in votes.rows] == [("run-2 over prompted", "2, 1, 1, 0")]


def test_only_the_slices_with_the_largest_gaps_are_shown(project: Project) -> None:
    facts = read_report(project)
    questions = {number: dataclasses.replace(question, topic=f"topic {number}")
                 for number, question in facts.answered.questions.items()}  # fmt: skip
    assert len(questions) == 8
    more = {100 + number: dataclasses.replace(question, id=100 + number, topic=f"topic {100 + number}")
            for number, question in questions.items()}  # fmt: skip
    answers = tuple(
        dataclasses.replace(answer, question_id=number)
        for answer in facts.answered.answers
        for number in (answer.question_id, 100 + answer.question_id)
    )
    changed = dataclasses.replace(facts, answered=Answered(questions | more, answers))
    topics = next(block for block in blocks(build(changed), "slices") if isinstance(block, Intervals))
    assert len(topics.rows) == 8
    gaps = [row.measured[1].value - row.measured[2].value for row in topics.rows if row.measured[1] and row.measured[2]]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0
    assert "The 8 largest gaps of 16" in to_text(build(changed))


def test_run_that_was_an_extra_arm_is_compared_within_the_same_evaluation(project: Project) -> None:
    """This also works if the rules have changed since the other run's own evaluation."""
    facts = read_report(project, compare=3)
    evaluation = facts.proof.evaluation
    with_run_3 = dataclasses.replace(evaluation, arms=(*evaluation.arms, ("run:3", evaluation.arms[0][1])))
    answers = tuple(
        dataclasses.replace(answer, arm="run:3") for answer in facts.answered.answers if answer.arm == "unprompted"
    )
    answered = dataclasses.replace(facts.answered, answers=(*facts.answered.answers, *answers))
    changed = dataclasses.replace(
        facts, proof=dataclasses.replace(facts.proof, evaluation=with_run_3), answered=answered
    )
    rules = next(block for block in blocks(build(changed), "compared") if isinstance(block, Intervals))
    assert all(None not in row.measured for row in rules.rows)
    rows = {row.cells[0]: row.cells for row in table(build(changed), "compared", "run 2 compared with run 3").rows}
    assert rows["1\u2002Starts with a risk score"][5] == "better"


def test_comparison_with_an_unevaluated_run_gives_the_command_to_evaluate_it(project: Project) -> None:
    document = build(read_report(project, compare=3))
    assert "Run 3 has not been evaluated: distill-tui evaluate --run 3" in to_text(document)


def test_settings_at_their_defaults_are_collapsed(project: Project) -> None:
    document = build(read_report(project))
    chosen, defaults = (table(document, "provenance", caption) for caption in ("Training config", "Settings at"))
    names = [row.cells[0] for settings in (chosen, defaults) for row in settings.rows]
    assert sorted(names) == sorted(field.name.replace("_", " ") for field in dataclasses.fields(TrainingConfig))
    assert all(row.cells[1] != row.cells[2] for row in chosen.rows)
    assert f"<details><summary>{defaults.caption}</summary>" in to_html(document)


def test_worst_answers_are_side_by_side_with_failing_text_marked(project: Project) -> None:
    document = build(read_report(project))
    exchanges = [block for block in blocks(document, "worst") if isinstance(block, QuestionAnswers)]
    assert [len(exchange.answers) for exchange in exchanges] == [3, 3]
    unprompted, _, student = exchanges[0].answers
    assert len(unprompted.notes) == 1
    assert re.fullmatch(r"\d of 4 rules failed", unprompted.notes[0]), (
        "for the unprompted arm the rules are counted, not listed"
    )
    assert (student.name, student.kept) == ("distilled", False)
    assert [student.text[span.start : span.end] for span in student.marked] == [
        "A person answers. They look at it today."
    ]
    assert "<mark>A person answers. They look at it today.</mark>" in to_html(document)


def test_worst_held_out_tokens_are_listed_with_the_rules_involved(project: Project) -> None:
    document = build(read_report(project))
    tokens, answers = (table(document, "heldout", caption) for caption in ("Held-out tokens", "Held-out answers"))
    assert len(tokens.rows) == 8
    assert tokens.rows[0].cells[1:] == (
        "RISK", "RISK", "I", "required by rule 1; student's answer fails rules 1, 2", "7.44",
    )  # fmt: skip
    assert tokens.rows[0].strong, "the student fails the rule that requires the token"
    assert "breaks rule 2" in tokens.rows[3].cells[4]
    assert not tokens.rows[3].strong
    assert answers.rows[0].cells[1:] == ("rule 2", "26", "0.90")
    assert "about" in answers.rows[0].cells[0]


def test_public_tasks_are_in_every_format_once_they_were_measured(project: Project) -> None:
    assert not blocks(build(read_report(project)), "public")
    run = read_report(project).proof.run.id
    score = TaskScore("ifeval", "prompt_level_strict_acc", "none", Score(0.5, 0.02), Score(0.3, 0.02), True, 541)
    sha256 = "a" * 64
    for limit in (10, 10, None):
        project.harness.add(HarnessResult(0, run, 1, sha256, ("ifeval",), limit, None, True, (score,), "0.4.13", 60.0))
    document = build(read_report(project))
    tables = [block for block in blocks(document, "public") if isinstance(block, Table)]
    assert len(tables) == 2, "a repeated measurement replaces the earlier one"
    for output in (to_text(document), to_markdown(document), to_html(document)):
        assert "Public tasks" in output
        assert "−0.200" in output


def test_report_without_stored_answers_or_trace_states_what_is_missing(home: Home) -> None:
    from tests.tui.seeds import make_stage

    with Project.open(make_stage(home, "done"), home) as project:
        document = build(read_report(project))
    names = [section.id for section in document.sections]
    assert names == ["verdict", "rules", "cost", "worst", "training", "provenance"]
    text = to_text(document)
    assert "The answers of this evaluation were not kept." in text
    assert "The teacher runs on this machine, so no costs are calculated." in text
    assert "distill-tui estimate --model" in text, "a report gives the command, since it is read outside the app"
    charts = next(block for block in blocks(document, "training") if isinstance(block, Charts))
    assert len(charts.charts[2].series[0].xs) == 7, "the loss at the evaluations replaces that of every step"


def test_hostile_texts_do_not_change_the_page_structure(home: Home) -> None:
    def pages() -> Iterator[str]:
        for name, is_hostile in (("calm", False), ("foreign", True)):
            with make_project(home, name) as project:
                add_examples(project)
                base = hostile("starter") if is_hostile else "starter"
                run_id = add_measured_run(project, add_dataset(project), TrainingConfig(base))
                add_measured_evaluation(project, run_id, "fail", Interval(0.5, 0.4, 0.6), foreign=is_hostile)
                document = build(read_report(project))
                assert not control_characters(to_text(document) + to_markdown(document))
                yield to_html(document)

    plain_page, hostile_page = (re.sub(r"<mark>|</mark>", "", page) for page in pages())
    assert "‹U+202E›evil" in hostile_page
    assert re.findall(r"<(/?[a-z0-9]+)", hostile_page) == re.findall(r"<(/?[a-z0-9]+)", plain_page)


def test_brief_report_has_the_rules_and_ends_with_the_verdict(project: Project) -> None:
    facts = read_report(project)
    document = brief(build(dataclasses.replace(facts, proof=dataclasses.replace(facts.proof, stale=""))))
    assert [section.id for section in document.sections] == ["rules", "verdict"]
    assert "Is it current?" not in to_text(document)
    assert len(to_text(document).splitlines()) < 49
