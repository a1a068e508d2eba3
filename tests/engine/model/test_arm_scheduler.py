"""Several arms at once: each gets its token every round, and answers as it would alone."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from engine.errors import ContextError, ModelError
from engine.model.adapters import Adapters
from engine.model.arm_scheduler import PROMPTS_KEPT, ArmScheduler, ArmSetting, Turn
from engine.model.decode import Decoded, Draw, decode
from engine.model.load import load_base, with_adapter
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from tests.trained import make_tiny_adapter

PROMPT = (5, 40, 61, 33, 90, 12)
QUESTION = [44, 60]
GREEDY = Draw(0.0)


@dataclass
class Heard:
    """A turn and what its listeners were told."""

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


@pytest.fixture
def made(tiny_folder: Path, adapter: Path) -> tuple[ArmScheduler, str, LocalModel]:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    adapters = Adapters(local)
    sha256 = adapters.load(adapter)
    return ArmScheduler(local, adapters, batch_rows=2), sha256, local


def alone(tiny_folder: Path, adapter: Path, heard: Heard) -> tuple[int, ...]:
    local = load_base(tiny_folder, device="cpu", dtype="float32")
    if heard.setting.adapter:
        local = with_adapter(local, adapter)
    prefix = PromptCache.build(local, heard.setting.prefix_ids)
    (decoded,) = decode(
        local,
        [[*heard.setting.prefix_ids, *heard.question]],
        prefix=prefix,
        temperature=heard.draw.temperature,
        max_new_tokens=heard.limit,
        seeds=[heard.seed],
    )
    return decoded.ids


def test_each_setting_gets_one_token_a_round(made: tuple[ArmScheduler, str, LocalModel]) -> None:
    scheduler, sha256, _ = made
    settings = [ArmSetting(), ArmSetting(sha256, 1.0), ArmSetting("", 0.0, PROMPT), ArmSetting(sha256, 0.5, PROMPT)]
    heard = [Heard(setting, QUESTION, limit=6) for setting in settings]
    for each in heard:
        scheduler.add(each.turn())
    scheduler.step()
    before = [len(each.tokens) for each in heard]
    assert before == [2, 2, 2, 2]  # a row's first step reads its question, which tells the first token
    scheduler.step()
    assert all(len(each.tokens) == 3 or each.ended for each in heard)


def test_answers_are_those_of_a_model_of_their_own_whenever_they_come(
    made: tuple[ArmScheduler, str, LocalModel], tiny_folder: Path, adapter: Path
) -> None:
    scheduler, sha256, _ = made
    settings = [ArmSetting(), ArmSetting(sha256, 1.0), ArmSetting("", 0.0, PROMPT), ArmSetting(sha256, 1.0, PROMPT)]
    heard = [
        Heard(setting, [44, 50 + n], draw=Draw(0.0 if n % 2 else 1.0), seed=n) for n in range(3) for setting in settings
    ]
    for each in heard:  # three rows per setting, and two places
        scheduler.add(each.turn())
        scheduler.step()
    while scheduler.busy:
        scheduler.step()
    for each in heard:
        assert tuple(each.tokens) == each.ended[0].ids == alone(tiny_folder, adapter, each)
    assert scheduler.adapters_in_use == frozenset()


def test_a_row_that_is_dropped_is_told_nothing_more_and_changes_no_other(
    made: tuple[ArmScheduler, str, LocalModel], tiny_folder: Path, adapter: Path
) -> None:
    scheduler, sha256, _ = made
    setting = ArmSetting(sha256, 1.0)
    heard = [Heard(setting, [44, 50 + n]) for n in range(4)]
    taken = [each.turn() for each in heard]
    for turn in taken:
        scheduler.add(turn)
    scheduler.step()
    scheduler.drop(taken[0])  # decoding
    scheduler.drop(taken[3])  # waiting
    told = len(heard[0].tokens)
    assert scheduler.adapters_in_use == {sha256}
    while scheduler.busy:
        scheduler.step()
    scheduler.drop(taken[1])  # ended
    assert (len(heard[0].tokens), heard[0].ended) == (told, [])
    assert (heard[3].tokens, heard[3].ended) == ([], [])
    for each in heard[1:3]:
        assert each.ended[0].ids == alone(tiny_folder, adapter, each)


def test_a_prompt_is_read_once_and_only_a_few_are_kept(
    made: tuple[ArmScheduler, str, LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler, sha256, _ = made
    built: list[int] = []
    build = PromptCache.build
    monkeypatch.setattr(
        PromptCache, "build", lambda local, ids: (built.append(len(ids)) if ids else None, build(local, ids))[1]
    )

    def ask(setting: ArmSetting) -> None:
        scheduler.add(Heard(setting, QUESTION, limit=1).turn())
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


def test_what_does_not_fit_is_refused_and_out_of_memory_is_explained(
    made: tuple[ArmScheduler, str, LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler, _, _ = made
    with pytest.raises(ContextError):
        scheduler.add(Heard(ArmSetting(), QUESTION, limit=200).turn())
    assert not scheduler.busy
    scheduler.add(Heard(ArmSetting(), QUESTION).turn())

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr("engine.model.decode.Batch.admit", full)
    with pytest.raises(ModelError, match="memory"):
        scheduler.step()
    monkeypatch.setattr("engine.model.prompt_cache.PromptCache.build", full)
    with pytest.raises(ModelError, match="memory"):
        scheduler.add(Heard(ArmSetting(prefix_ids=tuple(PROMPT)), [*PROMPT, *QUESTION]).turn())
