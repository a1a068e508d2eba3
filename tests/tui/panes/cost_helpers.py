"""Figures that the tests of the cost pane share."""

from engine.records.cost import CostInputs

CASES = {
    "pays": CostInputs("gpt-5", requests_per_day=5_000.0, one_time_usd=75.0),
    "uncached": CostInputs("gpt-5", requests_per_day=1_000.0, one_time_usd=900.0),
    "never": CostInputs("gpt-5", distilled_output_usd_per_mtok=500.0),
    "nobody": CostInputs("gpt-5", requests_per_day=0.0),
    "free": CostInputs("gpt-5", one_time_usd=0.0),
    "huge": CostInputs("gpt-5", requests_per_day=1e11, one_time_usd=1e11),
    "unknown": CostInputs("no such \u202emodel"),
}
