"""The schema, step by step: functions applied once, in order. A released step is never changed: add one below it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def _statements_in(database: "Database") -> Callable[[str], None]:
    """Return a function that runs statements, split at semicolons: the library would search for them char by char."""

    def carry_out(statements: str) -> None:
        for statement in filter(str.strip, statements.split(";")):
            database.execute(statement)

    return carry_out


def prompts_and_rules(database: "Database") -> None:
    """Prompt versions, unique by hash, one of them current; and the numbered rules."""
    _statements_in(database)("""
        CREATE TABLE prompts (
            version INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, messages TEXT NOT NULL,
            note TEXT NOT NULL, current INTEGER NOT NULL, created_at TEXT NOT NULL) STRICT;
        CREATE UNIQUE INDEX prompts_current ON prompts (current) WHERE current;
        CREATE TABLE rules (id INTEGER PRIMARY KEY, text TEXT NOT NULL, check_json TEXT NOT NULL) STRICT;
    """)


def questions(database: "Database") -> None:
    """Message lists, unique by their normalised text, searchable by their last message."""
    _statements_in(database)("""
        CREATE TABLE questions (
            id INTEGER PRIMARY KEY AUTOINCREMENT, normal_sha256 TEXT NOT NULL UNIQUE, messages TEXT NOT NULL,
            text TEXT NOT NULL, topic TEXT NOT NULL, source TEXT NOT NULL, label TEXT, split TEXT,
            created_at TEXT NOT NULL) STRICT;
        CREATE INDEX questions_split ON questions (split, id);
        CREATE INDEX questions_topic ON questions (topic);
    """)
    database.table("questions").enable_fts(["text"])


def examples(database: "Database") -> None:
    """Answers by key, their cost, and the requests in flight."""
    key = "prompt_sha256 TEXT NOT NULL, question_id INTEGER NOT NULL, teacher TEXT NOT NULL, attempt INTEGER NOT NULL"
    unique = "UNIQUE (prompt_sha256, question_id, teacher, attempt)"
    _statements_in(database)(f"""
        CREATE TABLE examples (
            id INTEGER PRIMARY KEY AUTOINCREMENT, {key},
            state TEXT NOT NULL DEFAULT 'undecided', decision_id INTEGER,
            finish_reason TEXT NOT NULL, teacher_kind TEXT NOT NULL, temperature REAL NOT NULL, seconds REAL NOT NULL,
            prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
            written_tokens INTEGER NOT NULL, cost_usd REAL NOT NULL, counted_here INTEGER NOT NULL,
            created_at TEXT NOT NULL, checks TEXT NOT NULL, answer TEXT NOT NULL, edited_answer TEXT, token_ids BLOB,
            {unique}, FOREIGN KEY (question_id) REFERENCES questions (id) ON DELETE CASCADE) STRICT;
        CREATE INDEX examples_state ON examples (state, id);
        CREATE INDEX examples_prompt ON examples (prompt_sha256, id);
        CREATE INDEX examples_prompt_state ON examples (prompt_sha256, state, id);
        CREATE INDEX examples_question ON examples (question_id);
        CREATE TABLE spending (
            teacher TEXT PRIMARY KEY, answers INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
            completion_tokens INTEGER NOT NULL, cost_usd REAL NOT NULL) STRICT;
        CREATE TABLE in_flight ({key}, {unique}) STRICT;
    """)
    database.table("examples").enable_fts(["answer", "edited_answer"])


def decisions(database: "Database") -> None:
    """The journal. A step's state is the undo pointer; examples mirror their current decision."""
    _statements_in(database)("""
        CREATE TABLE decision_steps (step INTEGER PRIMARY KEY, state TEXT NOT NULL) STRICT;
        CREATE INDEX decision_steps_state ON decision_steps (state, step);
        CREATE TABLE decisions (
            id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, example_id INTEGER NOT NULL,
            verdict TEXT NOT NULL, source TEXT NOT NULL, edited_answer TEXT, reason TEXT NOT NULL,
            created_at TEXT NOT NULL,
            FOREIGN KEY (step) REFERENCES decision_steps (step),
            FOREIGN KEY (example_id) REFERENCES examples (id) ON DELETE CASCADE) STRICT;
        CREATE INDEX decisions_step ON decisions (step);
        CREATE INDEX decisions_example ON decisions (example_id, id);
        CREATE INDEX decisions_edited ON decisions (example_id) WHERE edited_answer IS NOT NULL;
    """)


def datasets(database: "Database") -> None:
    """Frozen rows of packed token ids; the highest `position` is the dataset that was frozen last."""
    _statements_in(database)("""
        CREATE TABLE datasets (
            id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, position INTEGER NOT NULL UNIQUE,
            prompt_sha256 TEXT NOT NULL, base TEXT NOT NULL, accepted_sha256 TEXT NOT NULL,
            train INTEGER NOT NULL, validation INTEGER NOT NULL, created_at TEXT NOT NULL) STRICT;
        CREATE TABLE dataset_rows (
            dataset_id INTEGER NOT NULL, position INTEGER NOT NULL, example_id INTEGER NOT NULL,
            question_id INTEGER NOT NULL, split TEXT NOT NULL, edited_from INTEGER NOT NULL,
            question_ids BLOB NOT NULL, completion_ids BLOB NOT NULL, fixed BLOB NOT NULL,
            PRIMARY KEY (dataset_id, position),
            FOREIGN KEY (dataset_id) REFERENCES datasets (id) ON DELETE CASCADE) STRICT;
    """)


def runs_and_evaluations(database: "Database") -> None:
    """Runs with their curves, the arms' answers as they finish, and the results at the end."""
    _statements_in(database)("""
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY AUTOINCREMENT, dataset_sha256 TEXT NOT NULL, config TEXT NOT NULL,
            state TEXT NOT NULL, folder TEXT NOT NULL, step INTEGER NOT NULL DEFAULT 0,
            steps INTEGER NOT NULL DEFAULT 0, best_step INTEGER NOT NULL DEFAULT 0, train_s REAL NOT NULL DEFAULT 0,
            peak_rss_mb REAL NOT NULL DEFAULT 0, device TEXT NOT NULL DEFAULT '', dtype TEXT NOT NULL DEFAULT '',
            reason TEXT NOT NULL DEFAULT '', created_at TEXT NOT NULL,
            FOREIGN KEY (dataset_sha256) REFERENCES datasets (sha256)) STRICT;
        CREATE TABLE curve_points (
            run_id INTEGER NOT NULL, step INTEGER NOT NULL, point TEXT NOT NULL, PRIMARY KEY (run_id, step),
            FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE) STRICT;
        CREATE TABLE arm_answers (
            evaluation_key TEXT NOT NULL, arm TEXT NOT NULL, question_id INTEGER NOT NULL, sample INTEGER NOT NULL,
            run_id INTEGER NOT NULL, answer TEXT NOT NULL, finish_reason TEXT NOT NULL, checks TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
            PRIMARY KEY (evaluation_key, arm, question_id, sample),
            FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE,
            FOREIGN KEY (question_id) REFERENCES questions (id) ON DELETE CASCADE) STRICT;
        CREATE INDEX arm_answers_run ON arm_answers (run_id);
        CREATE INDEX arm_answers_question ON arm_answers (question_id);
        CREATE TABLE evaluations (
            id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL, created_at TEXT NOT NULL,
            evaluation TEXT NOT NULL, FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE) STRICT;
        CREATE INDEX evaluations_run ON evaluations (run_id, id);
    """)


def jobs_settings_and_releases(database: "Database") -> None:
    """Jobs, the project's settings, the time of each stage, and releases."""
    _statements_in(database)("""
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, state TEXT NOT NULL, options TEXT NOT NULL,
            folder TEXT NOT NULL, stage TEXT NOT NULL, pid INTEGER NOT NULL DEFAULT 0,
            pid_started_at REAL NOT NULL DEFAULT 0, boot_id TEXT NOT NULL DEFAULT '',
            done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
            note TEXT NOT NULL DEFAULT '', created_at TEXT NOT NULL, started_at TEXT NOT NULL DEFAULT '',
            ended_at TEXT NOT NULL DEFAULT '') STRICT;
        CREATE INDEX jobs_state ON jobs (state);
        CREATE INDEX jobs_stage ON jobs (stage, id);
        CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        CREATE TABLE timings (stage TEXT PRIMARY KEY, seconds REAL NOT NULL) STRICT;
        CREATE TABLE releases (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, run_id INTEGER NOT NULL, folder TEXT NOT NULL,
            sha256 TEXT NOT NULL, created_at TEXT NOT NULL,
            FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE) STRICT;
    """)


def flags_and_broken_rules(database: "Database") -> None:
    """An example's current flag, and the rules that its answer breaks, so that lists can use an index."""
    _statements_in(database)("""
        ALTER TABLE examples ADD COLUMN flag_id INTEGER;
        CREATE INDEX examples_flagged ON examples (prompt_sha256, id) WHERE flag_id IS NOT NULL;
        CREATE TABLE broken_rules (
            rule_id INTEGER NOT NULL, example_id INTEGER NOT NULL, PRIMARY KEY (rule_id, example_id),
            FOREIGN KEY (example_id) REFERENCES examples (id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
        CREATE INDEX broken_rules_example ON broken_rules (example_id);
        INSERT INTO broken_rules SELECT DISTINCT json_extract(c.value, '$.rule_id'), e.id
            FROM examples e, json_each(e.checks) c WHERE NOT json_extract(c.value, '$.passed');
    """)


def votes(database: "Database") -> None:
    """A person's votes on two arms' answers, indexed by arm."""
    _statements_in(database)("""
        CREATE TABLE votes (
            id INTEGER PRIMARY KEY, left_arm TEXT NOT NULL, right_arm TEXT NOT NULL, vote TEXT NOT NULL) STRICT;
        CREATE INDEX votes_arms ON votes (left_arm, right_arm);
    """)


def estimates_of_runs(database: "Database") -> None:
    """The estimate for each run, and the disk space that it took."""
    _statements_in(database)("""
        ALTER TABLE runs ADD COLUMN estimate TEXT;
        ALTER TABLE runs ADD COLUMN disk_mb REAL NOT NULL DEFAULT 0;
    """)


def rules_of_datasets_and_carried_answers(database: "Database") -> None:
    """The rules that a dataset was frozen with, unknown for older ones; the example an answer was carried from."""
    _statements_in(database)("""
        ALTER TABLE datasets ADD COLUMN rules TEXT;
        ALTER TABLE examples ADD COLUMN carried_from INTEGER NOT NULL DEFAULT 0;
    """)


def prompts_of_other_projects(database: "Database") -> None:
    """Datasets that also teach prompts of other projects: the prompt of each row, and those projects' questions."""
    _statements_in(database)("""
        ALTER TABLE dataset_rows ADD COLUMN prompt_index INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE dataset_prompts (
            dataset_id INTEGER NOT NULL, prompt_index INTEGER NOT NULL, project TEXT NOT NULL,
            prompt_sha256 TEXT NOT NULL, train INTEGER NOT NULL, validation INTEGER NOT NULL, taught TEXT NOT NULL,
            PRIMARY KEY (dataset_id, prompt_index),
            FOREIGN KEY (dataset_id) REFERENCES datasets (id) ON DELETE CASCADE) STRICT;
    """)


def sources_of_arm_answers(database: "Database") -> None:
    """The source of each answer of an arm, so that it can be reused; unknown for older ones."""
    _statements_in(database)("""
        ALTER TABLE arm_answers ADD COLUMN source_sha256 TEXT NOT NULL DEFAULT '';
        CREATE INDEX arm_answers_source ON arm_answers (source_sha256, question_id, sample) WHERE source_sha256 <> '';
    """)


def probes_and_judgements(database: "Database") -> None:
    """Answers to probes, besides held-out questions; verdicts of a judge by rubric, and its replies by request hash."""
    _statements_in(database)("""
        CREATE TABLE probe_answers (
            evaluation_key TEXT NOT NULL, kind TEXT NOT NULL, arm TEXT NOT NULL, number INTEGER NOT NULL,
            run_id INTEGER NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (evaluation_key, kind, arm, number),
            FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE) STRICT;
        CREATE INDEX probe_answers_run ON probe_answers (run_id);
        CREATE TABLE verdicts (
            evaluation_key TEXT NOT NULL, judge TEXT NOT NULL, arm TEXT NOT NULL, question_id INTEGER NOT NULL,
            sample INTEGER NOT NULL, rule_id INTEGER NOT NULL, passed INTEGER NOT NULL, reason TEXT NOT NULL,
            run_id INTEGER NOT NULL, PRIMARY KEY (evaluation_key, judge, arm, question_id, sample, rule_id),
            FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE,
            FOREIGN KEY (question_id) REFERENCES questions (id) ON DELETE CASCADE) STRICT;
        CREATE INDEX verdicts_run ON verdicts (run_id);
        CREATE INDEX verdicts_question ON verdicts (question_id);
        CREATE TABLE judgements (
            judge TEXT NOT NULL, request_sha256 TEXT NOT NULL, said TEXT NOT NULL, reason TEXT NOT NULL,
            PRIMARY KEY (judge, request_sha256)) STRICT, WITHOUT ROWID;
    """)


def harness_results(database: "Database") -> None:
    """Scores of releases and their bases on public tasks."""
    _statements_in(database)("""
        CREATE TABLE harness_results (
            id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL, created_at TEXT NOT NULL,
            result TEXT NOT NULL, FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE) STRICT;
        CREATE INDEX harness_results_run ON harness_results (run_id, id);
    """)


def work_of_jobs(database: "Database") -> None:
    """How long each job worked at each station, and how many answers it got there, over all its processes."""
    _statements_in(database)("""
        CREATE TABLE job_work (
            job_id INTEGER NOT NULL, station TEXT NOT NULL, seconds REAL NOT NULL,
            answers INTEGER NOT NULL, PRIMARY KEY (job_id, station),
            FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
    """)


def cost_of_work(database: "Database") -> None:
    """What each job paid at each station, which stays true if its answers are deleted."""
    _statements_in(database)("ALTER TABLE job_work ADD COLUMN cost_usd REAL NOT NULL DEFAULT 0")


def parity_of_releases(database: "Database") -> None:
    """How llama.cpp's answers compare with the weights; empty if not checked."""
    _statements_in(database)("ALTER TABLE releases ADD COLUMN parity TEXT NOT NULL DEFAULT ''")


def programs_of_jobs(database: "Database") -> None:
    """Remove programs and folders of code from job options, because a resumed job would execute them."""
    _statements_in(database)("""
        UPDATE jobs SET options = json_remove(options, '$.lm_eval', '$.include_path') WHERE kind = 'harness'
    """)


def requests_without_examples(database: "Database") -> None:
    """Requests that produced no example: their number, tokens, and how many came without token counts."""
    _statements_in(database)("""
        ALTER TABLE spending ADD COLUMN other_requests INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE spending ADD COLUMN other_prompt_tokens INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE spending ADD COLUMN other_completion_tokens INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE spending ADD COLUMN other_counted_here INTEGER NOT NULL DEFAULT 0;
    """)


def jobs_of_runs(database: "Database") -> None:
    """Which jobs trained which run, and the runs that are deleted except for their files.

    For older runs these are the jobs that name the run, else the demo, bench or update job that was live when it was
    created, and later ones of these kinds until another run was created.
    """
    _statements_in(database)("""
        CREATE TABLE run_jobs (
            run_id INTEGER NOT NULL, job_id INTEGER NOT NULL, PRIMARY KEY (run_id, job_id),
            FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE,
            FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
        CREATE INDEX run_jobs_job ON run_jobs (job_id);
        INSERT INTO run_jobs
            SELECT runs.id, jobs.id FROM jobs JOIN runs ON runs.id = json_extract(jobs.options, '$.run_id')
            WHERE jobs.kind = 'train';
        INSERT OR IGNORE INTO run_jobs
            SELECT runs.id, jobs.id FROM jobs, json_each(jobs.options, '$.trials') AS trial
            JOIN runs ON runs.id = json_extract(trial.value, '$.run_id') WHERE jobs.kind = 'sweep';
        WITH conducting AS (SELECT * FROM jobs WHERE kind IN ('demo', 'bench', 'update')),
        made AS (
            SELECT runs.id AS run_id, max(conducting.id) AS maker FROM runs JOIN conducting
            ON conducting.created_at <= runs.created_at
            AND (conducting.ended_at = '' OR conducting.ended_at >= runs.created_at)
            WHERE runs.id NOT IN (SELECT run_id FROM run_jobs JOIN jobs ON jobs.id = job_id WHERE kind = 'sweep')
            GROUP BY runs.id),
        spans AS (SELECT run_id, maker, lead(maker) OVER (ORDER BY run_id) AS following FROM made)
        INSERT INTO run_jobs
            SELECT run_id, conducting.id FROM spans JOIN conducting ON conducting.id = maker
            OR (conducting.id > maker AND conducting.id < coalesce(following, conducting.id + 1))
            WHERE run_id NOT IN (SELECT run_id FROM run_jobs);
        CREATE TABLE half_deleted_runs (id INTEGER PRIMARY KEY) STRICT;
    """)


def numbers_of_rules(database: "Database") -> None:
    """Rule numbers that are never given again, because results refer to them."""
    _statements_in(database)("""
        ALTER TABLE rules RENAME TO before;
        CREATE TABLE rules (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, check_json TEXT NOT NULL) STRICT;
        INSERT INTO rules SELECT top, '', '' FROM (SELECT max(rule_id) AS top FROM (SELECT rule_id FROM verdicts
            UNION SELECT json_extract(value, '$.rule_id') FROM examples, json_each(checks)
            UNION SELECT json_extract(value, '$.rule_id') FROM arm_answers, json_each(checks))) WHERE top;
        DELETE FROM rules; INSERT INTO rules SELECT * FROM before; DROP TABLE before;
    """)


STEPS = (
    prompts_and_rules,
    questions,
    examples,
    decisions,
    datasets,
    runs_and_evaluations,
    jobs_settings_and_releases,
    flags_and_broken_rules,
    votes,
    estimates_of_runs,
    rules_of_datasets_and_carried_answers,
    prompts_of_other_projects,
    sources_of_arm_answers,
    probes_and_judgements,
    harness_results,
    work_of_jobs,
    cost_of_work,
    parity_of_releases,
    programs_of_jobs,
    requests_without_examples,
    jobs_of_runs,
    numbers_of_rules,
)
