"""Records to JSON and back: values survive the round trip, and JSON that does not match the type is refused."""

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
def test_any_record_survives_the_round_trip(kind: type, data: st.DataObject) -> None:
    record = data.draw(st.from_type(kind))
    assert repr(decode(kind, encode(record))) == repr(record)  # as text, because NaN is not equal to itself


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.from_type(CheckResult)))
def test_any_list_of_records_survives_the_round_trip(records: list[CheckResult]) -> None:
    assert decode_all(CheckResult, encode_all(records)) == tuple(records)


@pytest.mark.parametrize("kind", get_args(JobKind))
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_options_of_every_job_kind_survive_the_round_trip(kind: JobKind, data: st.DataObject) -> None:
    options = data.draw(st.from_type(OPTIONS_OF_KIND[kind]))
    job = Job(1, kind, "waiting", encode(options), "jobs/1", options.station)
    assert repr(options_of_job(job)) == repr(options)
    stored = json.loads(job.options).keys()
    assert not stored & get_type_hints(JobOptionsBase).keys(), "options of the kind are not stored with each job"


def test_fields_with_a_default_may_be_missing() -> None:
    assert decode(TeacherSpec, '{"model": "m"}') == TeacherSpec(model="m")


def test_integer_is_accepted_for_a_float_field() -> None:
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
def test_json_that_does_not_match_the_type_is_refused(kind: type, text: str) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        decode(kind, text)
