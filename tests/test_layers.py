"""Imports go one way."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]

LAYERS = (
    ("errors", "likeness", "threads"),
    ("message",),
    ("wire", "prompts", "task"),
    ("models", "rows", "source", "hiding"),
    ("dialogue", "trace", "hardgit", "contract"),
    ("config", "sample"),
    ("semantic",),
    ("repos", "tasks", "toolset"),
    ("gate",),
    ("clean",),
    ("events", "verdicts", "novelty", "progress"),
    ("journal",),
    ("pacing",),
    ("export", "replay", "demo"),
    ("player", "journals", "summary", "view", "describe"),
    ("asking", "echo_judge"),
    ("supervisor", "stage", "imported", "mine"),
    ("judge", "benchmark"),
    ("loop", "resample"),
    ("casting", "indexing"),
    ("listening", "foreign"),
    ("play", "audit", "sampling", "audit_traces"),
    ("cleaning", "audit_echoes"),
    ("batch",),
    ("report", "tracing"),
    ("cli",),
)
"""From the bottom upwards; a module imports from layers below its own, and from its own package."""
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def module_paths(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.rglob("*.py")) if "lantern" not in p.parts]


def test_the_tools_import_nothing_from_the_engine() -> None:
    for path in module_paths(ROOT / "tools" / "selfplay_tools"):
        assert not [m for m in imported_modules(path) if m.split(".")[0] == "selfplay"], path


def test_every_module_has_its_layer() -> None:
    named = {p.relative_to(ROOT / "selfplay").parts[0].removesuffix(".py") for p in module_paths(ROOT / "selfplay")}
    assert named - {"__init__", "__main__"} == set(HEIGHT)


def test_the_page_on_the_design_names_every_module() -> None:
    page = (ROOT / "docs" / "design.md").read_text("utf-8")
    assert not [name for name in HEIGHT if f"`{name}.py`" not in page and f"`{name}/`" not in page]


def test_imports_go_downwards_only() -> None:
    wrong: list[str] = []
    for path in module_paths(ROOT / "selfplay"):
        own = path.relative_to(ROOT / "selfplay").parts[0].removesuffix(".py")
        for module in imported_modules(path):
            head, _, rest = module.partition(".")
            other = rest.split(".")[0]
            if head == "selfplay" and other and other != own and own in HEIGHT and HEIGHT[other] >= HEIGHT[own]:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_there_is_no_module_named_tools() -> None:
    assert not (ROOT / "tools" / "__init__.py").exists()
