"""Words to JSON and back: nothing changes on the way, and nothing that does not fit comes in."""

import json
from typing import get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import StoreError
from engine.records.example import Usage
from engine.records.job import Job
from engine.records.options import OPTIONS_OF_KIND, EvaluateOptions, JobKind, JobOptionsBase, TeacherSpec, TrainOptions
from engine.records.rule import Check, CheckResult, Rule
from engine.records.run import CurvePoint, TrainingConfig
from engine.store.dataclass_json import decode, decode_all, encode, encode_all
from engine.store.jobs import options_of_job


@pytest.mark.parametrize("kind", [Rule, Usage, TrainingConfig, CurvePoint])
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_any_word_survives(kind: type, data: st.DataObject) -> None:
    word = data.draw(st.from_type(kind))
    assert repr(decode(kind, encode(word))) == repr(word)  # as text: a NaN equals nothing


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.from_type(CheckResult)))
def test_any_list_of_words_survives(words: list[CheckResult]) -> None:
    assert decode_all(CheckResult, encode_all(words)) == tuple(words)


@pytest.mark.parametrize("kind", get_args(JobKind))
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_the_options_of_every_kind_of_job_survive(kind: JobKind, data: st.DataObject) -> None:
    options = data.draw(st.from_type(OPTIONS_OF_KIND[kind]))
    job = Job(1, kind, "waiting", encode(options), "jobs/1", options.station)
    assert repr(options_of_job(job)) == repr(options)
    assert not json.loads(job.options).keys() & get_type_hints(JobOptionsBase).keys(), "said of the kind, not of a job"


def test_fields_with_a_default_may_be_missing() -> None:
    assert decode(TeacherSpec, '{"model": "m"}') == TeacherSpec(model="m")


def test_a_whole_number_is_a_fine_float() -> None:
    value = decode(TrainingConfig, '{"base": "b", "epochs": 3}').epochs
    assert isinstance(value, float)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (TeacherSpec, "{"),
        (TeacherSpec, "[]"),
        (TeacherSpec, '{"model": 3}'),
        (TeacherSpec, '{"kind": "oracle"}'),
        (TeacherSpec, '{"key": "sk-…"}'),
        (TrainOptions, "{}"),
        (TrainOptions, '{"run_id": true}'),
        (TrainOptions, '{"run_id": 1.5}'),
        (TrainingConfig, '{"base": "b", "epochs": false}'),
        (Check, '{"kind": "forbidden", "texts": "one"}'),
        (CurvePoint, json.dumps({"rule_rates": [[1]]})),
        (EvaluateOptions, '{"run_id": 1, "teacher": 1}'),
    ],
)
def test_what_does_not_fit_is_refused(kind: type, text: str) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        decode(kind, text)
