"""Several arms at once: each gets one token per round, and answers as it would alone."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from engine.errors import ContextError, ModelError
from engine.model.adapter_files import weights_sha256
from engine.model.adapters import Adapters
from engine.model.arm_scheduler import PROMPTS_KEPT, ArmScheduler, ArmSetting, Turn
from engine.model.decode import Decoded, Draw, decode
from engine.model.load import with_adapter
from engine.model.prompt_cache import PromptCache
from tests.engine.model.conftest import load_on_cpu
from tests.trained import make_tiny_adapter

PROMPT = (5, 40, 61, 33, 90, 12)
QUESTION = [44, 60]
GREEDY = Draw(0.0)


@dataclass
class RecordedTurn:
    """A turn, with the tokens and the end that its callbacks received."""

    setting: ArmSetting
    question: list[int]
    limit: int = 20
    draw: Draw = GREEDY
    seed: int = 0
    tokens: list[int] = field(default_factory=list)
    ended: list[Decoded] = field(default_factory=list)

    def turn(self) -> Turn:
        ids = [*self.setting.prefix_ids, *self.question]
        return Turn(self.setting, ids, self.limit, self.draw, self.seed, self.tokens.append, self.ended.append)


@pytest.fixture(scope="module")
def adapter(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_adapter(tiny_folder, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def sha256(adapter: Path) -> str:
    """The hash by which the scheduler knows the adapter."""
    return weights_sha256(adapter)


@pytest.fixture
def scheduler(tiny_folder: Path, adapter: Path) -> ArmScheduler:
    """A scheduler with the adapter, decoding two rows per setting."""
    local = load_on_cpu(tiny_folder)
    adapters = Adapters(local)
    adapters.load(adapter)
    return ArmScheduler(local, adapters, batch_rows=2)


def answer_alone(tiny_folder: Path, adapter: Path, turn: RecordedTurn) -> tuple[int, ...]:
    """The ids of the same answer from a separate model."""
    local = load_on_cpu(tiny_folder)
    if turn.setting.adapter:
        local = with_adapter(local, adapter)
    prefix = PromptCache.build(local, turn.setting.prefix_ids)
    (decoded,) = decode(
        local,
        [[*turn.setting.prefix_ids, *turn.question]],
        prefix=prefix,
        temperature=turn.draw.temperature,
        max_new_tokens=turn.limit,
        seeds=[turn.seed],
    )
    return decoded.ids


def test_each_setting_gets_one_token_per_round(scheduler: ArmScheduler, sha256: str) -> None:
    settings = [ArmSetting(), ArmSetting(sha256, 1.0), ArmSetting("", 0.0, PROMPT), ArmSetting(sha256, 0.5, PROMPT)]
    recorded = [RecordedTurn(setting, QUESTION, limit=6) for setting in settings]
    for each in recorded:
        scheduler.add(each.turn())
    scheduler.step()
    # A row's first step reads its question, which gives the first token.
    assert [len(each.tokens) for each in recorded] == [2, 2, 2, 2]
    scheduler.step()
    assert all(len(each.tokens) == 3 or each.ended for each in recorded)


def test_answers_equal_those_of_separate_models_whenever_they_start(
    scheduler: ArmScheduler, sha256: str, tiny_folder: Path, adapter: Path
) -> None:
    settings = [ArmSetting(), ArmSetting(sha256, 1.0), ArmSetting("", 0.0, PROMPT), ArmSetting(sha256, 1.0, PROMPT)]
    recorded = [
        RecordedTurn(setting, [44, 50 + n], draw=Draw(0.0 if n % 2 else 1.0), seed=n)
        for n in range(3)
        for setting in settings
    ]
    for each in recorded:  # three turns per setting, and two rows
        scheduler.add(each.turn())
        scheduler.step()
    while scheduler.busy:
        scheduler.step()
    for each in recorded:
        assert tuple(each.tokens) == each.ended[0].ids == answer_alone(tiny_folder, adapter, each)
    assert scheduler.adapters_in_use == frozenset()


def test_dropped_turn_receives_nothing_more_and_changes_no_other(
    scheduler: ArmScheduler, sha256: str, tiny_folder: Path, adapter: Path
) -> None:
    setting = ArmSetting(sha256, 1.0)
    recorded = [RecordedTurn(setting, [44, 50 + n]) for n in range(4)]
    turns = [each.turn() for each in recorded]
    for turn in turns:
        scheduler.add(turn)
    scheduler.step()
    scheduler.drop(turns[0])  # decoding
    scheduler.drop(turns[3])  # waiting
    received = len(recorded[0].tokens)
    assert scheduler.adapters_in_use == {sha256}
    while scheduler.busy:
        scheduler.step()
    scheduler.drop(turns[1])  # ended
    assert (len(recorded[0].tokens), recorded[0].ended) == (received, [])
    assert (recorded[3].tokens, recorded[3].ended) == ([], [])
    for each in recorded[1:3]:
        assert each.ended[0].ids == answer_alone(tiny_folder, adapter, each)


def test_prompt_is_read_once_and_only_a_few_prompts_are_kept(
    scheduler: ArmScheduler, sha256: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    build = PromptCache.build
    monkeypatch.setattr(
        PromptCache, "build", lambda local, ids: (built.append(len(ids)) if ids else None, build(local, ids))[1]
    )

    def ask(setting: ArmSetting) -> None:
        scheduler.add(RecordedTurn(setting, QUESTION, limit=1).turn())
        while scheduler.busy:
            scheduler.step()

    for _ in range(3):
        ask(ArmSetting("", 0.0, PROMPT))
        ask(ArmSetting(sha256, 0.5))
    assert built == [len(PROMPT)]
    for strength in range(PROMPTS_KEPT):
        ask(ArmSetting(sha256, 0.1 + strength / 10, PROMPT))
    ask(ArmSetting("", 0.0, PROMPT))
    assert len(built) == PROMPTS_KEPT + 2


def test_too_long_turn_is_refused_and_out_of_memory_is_explained(
    scheduler: ArmScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ContextError):
        scheduler.add(RecordedTurn(ArmSetting(), QUESTION, limit=200).turn())
    assert not scheduler.busy
    scheduler.add(RecordedTurn(ArmSetting(), QUESTION).turn())

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr("engine.model.decode.Batch.admit", full)
    with pytest.raises(ModelError, match="memory"):
        scheduler.step()
    monkeypatch.setattr("engine.model.prompt_cache.PromptCache.build", full)
    with pytest.raises(ModelError, match="memory"):
        scheduler.add(RecordedTurn(ArmSetting(prefix_ids=tuple(PROMPT)), [*PROMPT, *QUESTION]).turn())
