"""Facts about two bases and a dataset for tests of presets and of estimated memory; `REQUESTED` has all defaults."""

from engine.model.shapes import Shapes
from engine.records.run import TrainingConfig
from engine.training.costs import RowTokens
from engine.training.peak import TrainingFacts

REQUESTED = TrainingConfig(base="b", device="cpu", seed=3)


def llama(layers: int, hidden: int, inner: int, vocabulary: int) -> Shapes:
    """The shapes of a Llama whose output head is its embedding table."""
    linear = ((hidden, hidden),) * 4 + ((hidden, inner),) * 2 + ((inner, hidden),)
    weights = layers * sum(inputs * outputs for inputs, outputs in linear) + vocabulary * hidden
    return Shapes(linear * layers, vocabulary, weights, 4 * weights, layers)


STARTER, LARGE = llama(30, 576, 1_536, 49_152), llama(32, 4_096, 14_336, 128_256)
TOKENS = RowTokens(question=30.0, answer=40.0, longest=120, longest_answer=80, prompt=400)
FACTS = TrainingFacts(
    rows=600, tokens=TOKENS, own_rows=600, shapes=STARTER, free_mb=8_000.0, number_bytes=4, scored_tokens=9
)
