"""The house rules that can be checked automatically."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("engine", "tui") for path in (ROOT / room).rglob("*.py"))
MODEL_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "datasets")
MAX_LINES = 350
MAX_LINES_OF_APP = 300


def imported_after(statement: str) -> set[str]:
    """The top-level packages in `sys.modules` of a fresh interpreter after it ran `statement`."""
    code = f"{statement}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def module_imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top level or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("module", ["engine.records.example", "engine.errors", "engine.paths"])
def test_rule_1_records_import_only_the_standard_library(module: str) -> None:
    allowed = set(sys.stdlib_module_names) | {"engine"}
    bare = imported_after("pass")
    assert imported_after(f"import {module}") - bare <= allowed


def test_rule_2_the_tui_imports_no_model_library() -> None:
    tui_modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES if ROOT / "tui" in path.parents
    ]
    loaded = imported_after(f"import {', '.join(tui_modules)}")
    assert "textual" in loaded
    assert not loaded & {*MODEL_LIBRARIES, "httpx2"}


def test_rule_2_modules_that_need_no_model_import_no_model_library() -> None:
    loaded = imported_after(
        "import engine.cli.runs, engine.training.freeing, engine.training.deleting, engine.curation.chat_file, "
        "engine.prompts.proposals"
    )
    assert not loaded & set(MODEL_LIBRARIES)


def test_rule_2_the_first_screen_imports_no_store() -> None:
    loaded = imported_after("import tui.main, tui.app, tui.screens.workspace.screen")
    assert "textual" in loaded
    assert not loaded & {"sqlite3", "sqlite_utils", "psutil", "pynvml", "openai", "tokenizers", "genai_prices"}


def test_rule_2_help_and_version_import_nothing_heavy() -> None:
    loaded = imported_after("from engine.cli.main import run; run(['--help']); run(['--version'])")
    assert not loaded & {*MODEL_LIBRARIES, "textual", "openai", "sqlite_utils", "tiktoken", "numpy"}


def test_imports_run_in_no_circle() -> None:
    """Neither at the top of a module, nor in a function, nor for types alone."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in SOURCES}
    graph = {name: (module_imports(path) - {name}) & modules.keys() for name, path in modules.items()}
    assert sum(map(len, graph.values())) > len(modules)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(circle.args[1]))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rule_10_modules_have_a_docstring_and_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module needs a docstring"
    limit = MAX_LINES_OF_APP if path.name == "app.py" else MAX_LINES
    assert text.count("\n") <= limit


def test_rule_10_test_modules_have_a_docstring_and_stay_short() -> None:
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")}
    modules = {path: text for path, text in texts.items() if path.name != "__init__.py"}
    assert [path for path, text in modules.items() if not ast.get_docstring(ast.parse(text))] == []
    assert [path for path, text in modules.items() if text.count("\n") > MAX_LINES] == []


def test_rule_11_only_services_do_input_and_output() -> None:
    """Except for themes, which are read once at the start, before anything is drawn."""
    io_modules = {"socket", "sqlite3", "sqlite_utils", "subprocess", "urllib.request", "openai", "psutil", "threading"}
    engine_entry_points = {
        "engine.project",
        "engine.jobs.follow",
        "engine.jobs.control",
        "engine.demo",
        "engine.pipeline",
    }
    for path in SOURCES:
        relative = path.relative_to(ROOT)
        if relative.parts[0] != "tui" or relative.parts[1] == "services":
            continue
        forbidden = module_imports(path) & (io_modules | engine_entry_points)
        assert not forbidden, f"{relative} imports {forbidden}"
        opens = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if is_open(node)]
        assert not opens, f"{relative} opens a file"


def is_open(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"


def test_rule_9_no_markup_is_parsed_in_the_app() -> None:
    """Model text must never become markup: the constructors that parse it are not used, and the app's `notify`, which
    every widget's `notify` calls, always passes markup=False.
    """
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] != "tui":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            assert node.func.attr not in ("from_markup", "from_text"), path
    app = ast.parse((ROOT / "tui" / "app.py").read_text(encoding="utf-8"))
    notify = next(node for node in ast.walk(app) if isinstance(node, ast.FunctionDef) and node.name == "notify")
    (call,) = [node for node in ast.walk(notify) if isinstance(node, ast.Call) and is_named(node.func, "notify")]
    assert [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "markup"] == ["False"]


def is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name


def test_nothing_is_loaded_unsafely() -> None:
    """Only safetensors: no pickle, no remote code."""
    for path in SOURCES:
        assert not module_imports(path) & {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is False, path
            if isinstance(node, ast.Attribute) and node.attr == "load" and isinstance(node.value, ast.Name):
                assert node.value.id not in ("torch", "yaml"), f"{path}:{node.lineno}"
