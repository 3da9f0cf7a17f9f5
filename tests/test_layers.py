"""Imports go one way, without exceptions."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]

ENGINE = (
    "core", "prompts", "models", "config", "repos", "gate", "environments", "journal", "episode", "tasks", "export",
    "clean", "audit", "batch", "library", "report", "demo", "cli",
)  # fmt: skip
"""Packages of `selfplay`, from the bottom upwards: a module imports from its own package and from those before it."""

TOOLS = ("errors", "git", "output", "text", "protocols", "index", "snapshot", "code", "tools", "lsp", "semantic", "mcp")
"""The same for `selfplay_tools`."""

ROOT_MODULES = 6
"""So many modules stand in a package root at most."""


def modules(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.rglob("*.py")) if "lantern" not in p.parts]


def imports(path: Path) -> set[str]:
    """The names of what a file imports, wherever in it; names that only serve type checkers count too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def upward(folder: Path, layers: tuple[str, ...]) -> list[str]:
    """Imports of a package's modules that go to a layer above their own."""
    height = {name: number for number, name in enumerate(layers)}
    wrong: list[str] = []
    for path in modules(folder):
        own = path.relative_to(folder).parts[0].removesuffix(".py")
        for name in sorted(imports(path)):
            head, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if head == folder.name and own in height and other in height and height[other] > height[own]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    return wrong


def circles(folder: Path) -> list[list[str]]:
    """Groups of modules that import each other, at the top of the file or below."""
    names = {str(p.relative_to(folder.parent).with_suffix("")).replace("/", ".").removesuffix(".__init__"): p
             for p in modules(folder)}  # fmt: skip
    edges = {name: {n for n in imports(path) if n in names and n != name and not is_inside(name, n)}
             for name, path in names.items()}  # fmt: skip
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:  # Tarjan's strongly connected components
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in edges[name]:
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            group = [stack.pop()]
            while group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for name in names:
        if name not in order:
            visit(name)
    return found


def is_inside(module: str, package: str) -> bool:
    return module.startswith(f"{package}.")


def test_the_tools_import_nothing_from_the_engine() -> None:
    for path in modules(ROOT / "tools" / "selfplay_tools"):
        assert not [m for m in imports(path) if m.split(".")[0] == "selfplay"], path


def test_every_package_has_its_layer() -> None:
    for folder, layers in ((ROOT / "selfplay", ENGINE), (ROOT / "tools" / "selfplay_tools", TOOLS)):
        named = {p.relative_to(folder).parts[0].removesuffix(".py") for p in modules(folder)}
        assert named - {"__init__", "__main__"} == set(layers)


def test_imports_go_downwards_only() -> None:
    assert not upward(ROOT / "selfplay", ENGINE) + upward(ROOT / "tools" / "selfplay_tools", TOOLS)


def test_no_modules_import_each_other() -> None:
    assert not circles(ROOT / "selfplay") + circles(ROOT / "tools" / "selfplay_tools")


def test_roots_hold_a_handful_of_modules() -> None:
    for folder in (ROOT / "selfplay", ROOT / "tools" / "selfplay_tools"):
        assert len(list(folder.glob("*.py"))) <= ROOT_MODULES


def test_no_class_name_stands_twice() -> None:
    places: dict[str, list[str]] = {}
    for folder in (ROOT / "selfplay", ROOT / "tools" / "selfplay_tools"):
        for path in modules(folder):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_the_page_on_the_design_names_every_package() -> None:
    page = (ROOT / "docs" / "design.md").read_text("utf-8")
    assert not [name for name in (*ENGINE, *TOOLS) if f"`{name}.py`" not in page and f"`{name}/`" not in page]


def test_there_is_no_module_named_tools() -> None:
    assert not (ROOT / "tools" / "__init__.py").exists()
