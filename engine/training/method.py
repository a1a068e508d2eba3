"""The stages and extra terms that a configuration asks for. Knows nothing of how any of them works."""

from collections.abc import Sequence

from engine.errors import TrainingError
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetPrompt, DatasetRow
from engine.records.run import TrainingConfig
from engine.training.costs import longest_prompt_tokens, row_tokens
from engine.training.extra_terms import ExtraTerms, General, PromptBack
from engine.training.off_policy import OffPolicy
from engine.training.on_policy import OnPolicy
from engine.training.prompted import Prompted
from engine.training.ranks import ALONE, Ranks
from engine.training.stages import Course, Stage
from engine.training.teacher_cache import TeacherCache
from engine.training.work import work_of


def make_course(
    student: LocalModel,
    config: TrainingConfig,
    rows: Sequence[DatasetRow],
    dataset_prompts: Sequence[DatasetPrompt],
    teacher: TeacherCache | None,
    general: General | None = None,
    ranks: Ranks = ALONE,
) -> Course:
    """Return the stages of a run over training `rows`, whose prompts and questions `dataset_prompts` holds.

    Raises `TrainingError` if the rows lack what a stage or a term needs.
    """
    prompt_back = None
    if config.prompt_back_weight > 0:
        if teacher is None or not any(row.edited_from for row in rows):
            raise TrainingError(
                "There are no distributions of the prompted base.",
                "A prompt-back weight needs training answers of the local teacher, and there are none.",
                "Train without a prompt-back weight, or generate answers with the local teacher.",
            )
        prompt_back = PromptBack.make(
            rows, Prompted(student.format, dataset_prompts), teacher, config.prompt_back_weight
        )
    extra_terms = ExtraTerms(student, config.seed, general, prompt_back)
    tokens = row_tokens(rows, longest_prompt_tokens(each.prompt for each in dataset_prompts))
    work = work_of(config, len(rows), 0, tokens, on_gpu=student.device.type != "cpu")
    stages: list[Stage] = []
    costs: list[float] = []
    if config.epochs > 0:
        cached = teacher if config.objective != "cross_entropy" else None
        stages.append(OffPolicy(student, config, rows, cached, extra_terms))
        costs.append(work.first)
    if config.on_policy_steps > 0:
        stages.append(OnPolicy(student, config, rows, dataset_prompts, extra_terms, ranks))
        costs.append(work.second)
    return Course(tuple(stages), config, tuple(costs))
