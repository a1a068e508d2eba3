"""Recorded output of lm-eval 0.4.13: the parts of its results that are read, and the last log lines of failures."""

from typing import Any

GROUP: dict[str, Any] = {
    "results": {
        "ifeval": {
            "alias": "ifeval",
            "sample_len": 100,
            "prompt_level_strict_acc,none": 0.31,
            "prompt_level_strict_acc_stderr,none": 0.0465,
            "inst_level_loose_acc,none": 0.45,
            "inst_level_loose_acc_stderr,none": "N/A",
        },
        "mmlu_stem": {"alias": "stem", "acc,none": 0.25, "acc_stderr,none": 0.03},
        "mmlu_anatomy": {"alias": " - anatomy", "acc,none": 0.24, "acc_stderr,none": 0.043, "sample_len": 100},
    },
    "group_subtasks": {"mmlu_stem": ["mmlu_anatomy"], "ifeval": []},
    "higher_is_better": {
        "ifeval": {"prompt_level_strict_acc": True, "inst_level_loose_acc": True},
        "mmlu_stem": {"acc": True},
        "mmlu_anatomy": {"acc": True},
    },
    "n-samples": {
        "ifeval": {"original": 541, "effective": 100},
        "mmlu_anatomy": {"original": 135, "effective": 100},
    },
    "lm_eval_version": "0.4.13",
}
UNKNOWN_TASK = (
    '  File "lm_eval/config/evaluate_config.py", line 477, in process_tasks',
    '    raise ValueError(f"Tasks not found: {missing}")',
    "ValueError: Tasks not found: nosuch",
)
NO_NETWORK = (
    '  File "datasets/load.py", line 1115, in dataset_module_factory',
    """    raise ConnectionError(f"Couldn't reach '{path}' on the Hub ({e.__class__.__name__})") from e""",
    "ConnectionError: Couldn't reach 'google/IFEval' on the Hub (LocalEntryNotFoundError)",
)
NO_MODULE = (
    '  File "lm_eval/tasks/ifeval/instructions_util.py", line 20, in <module>',
    "ModuleNotFoundError: No module named 'nltk'",
)
