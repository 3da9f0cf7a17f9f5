"""Our definitions compared with universal-ctags: what share of its tags we report, and what share of ours it has.

    python benchmarks/symbols.py CLONE[@COMMIT] ... [--examples 3] [--json]

Compared are names at lines, of the kinds that `find_symbol` reports: classes and the like, functions, methods, types,
macros, constants and variables of a file, and mere declarations. Left out on both sides are fields, enumerators, locals
and parameters. Every difference is counted under a reason. Needs universal-ctags with JSON output.
"""

import argparse
import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mining import files_of, name_of, read_contents
from tree_sitter import Tree

from selfplay_tools.code.definitions import read_definitions
from selfplay_tools.code.languages import Language, language_of, may_have_language
from selfplay_tools.code.syntax import parse
from selfplay_tools.errors import NotReadable
from selfplay_tools.index.store.blob_table import normalise

LANGUAGES = {"c": "C", "cpp": "C++", "go": "Go", "java": "Java", "python": "Python", "ruby": "Ruby", "rust": "Rust"}
"""Those compared, by our name and that of ctags."""
NOT_OURS = frozenset(
    "enumerator enumConstant field local parameter label package packageName header unknown anonMember".split()
)
"""Kinds of ctags that we do not report in any language."""
NOT_OURS_IN: Mapping[str, frozenset[str]] = {
    "c": frozenset({"member"}),
    "cpp": frozenset({"member"}),
    "go": frozenset({"member"}),
    "python": frozenset({"namespace", "module"}),  # `import x as y`
    "rust": frozenset({"implementation"}),  # `impl T` names nothing new
}
"""Further kinds, of single languages; a `member` of Python is a method."""
OPTIONS = ("--kinds-C=+px", "--kinds-C++=+px", "--fields=+nKZ", "--output-format=json", "--sort=no")


@dataclass(frozen=True, slots=True)
class SymbolTag:
    """One definition, found by either."""

    path: str
    name: str
    line: int
    kind: str
    within: str = ""
    """The kind of what it stands in, where that is known."""


@dataclass(slots=True)
class TagComparison:
    """What was found in the files of one language."""

    files: int = 0
    both: int = 0
    theirs: dict[str, list[SymbolTag]] = field(default_factory=dict[str, list[SymbolTag]])
    """Tags of ctags alone, by reason."""
    ours: dict[str, list[SymbolTag]] = field(default_factory=dict[str, list[SymbolTag]])

    @property
    def recall(self) -> float:
        """What share of their tags we have."""
        return self.both / max(self.both + sum(map(len, self.theirs.values())), 1)

    @property
    def precision(self) -> float:
        """What share of ours they have."""
        return self.both / max(self.both + sum(map(len, self.ours.values())), 1)


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """One file, read our way."""

    path: str
    text: bytes
    language: Language
    tree: Tree | None
    """None for a file that was not parsed."""

    @property
    def tags(self) -> list[SymbolTag]:
        """What we report."""
        found, _ = read_definitions(self.language, self.text)
        return [SymbolTag(self.path, one.name, one.line, one.kind) for one in found]

    def is_unreadable(self, line: int) -> bool:
        """Whether the grammar found an error in what stands at the line."""
        if self.tree is None:
            return True
        node = self.tree.root_node
        while child := next(
            (one for one in node.children if _spans_line(one.start_point.row, one.end_point.row, line)), None
        ):
            if child.type == "ERROR":
                return True
            node = child
        return False


def _spans_line(first: int, last: int, line: int) -> bool:
    return first < line <= last + 1


def read_sources(repository: Path, commit: str) -> Iterator[ParsedFile]:
    """The files in the languages that are compared."""
    paths = {file.oid: file.path for file in files_of(repository, commit) if may_have_language(file.path)}
    for oid, data in read_contents(repository, paths):
        text = normalise(data)
        language = language_of(paths[oid], text.source) if text else None
        if text is None or language is None or language.name not in LANGUAGES:
            continue
        try:
            tree = parse(language, text.source)
        except NotReadable:
            tree = None
        yield ParsedFile(paths[oid], text.source, language, tree)


def run_ctags(files: Iterable[ParsedFile], language: str) -> list[SymbolTag]:
    """What ctags reports of these files, all read as that language."""
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            place = Path(folder, file.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.text)
        command = ["ctags", "--options=NONE", *OPTIONS, f"--language-force={LANGUAGES[language]}", "-R", "-f", "-", "."]
        output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    rows = (json.loads(line) for line in output.splitlines())
    tags = [
        SymbolTag(
            row["path"].removeprefix("./"), _plain_name(row["name"]), row["line"], row["kind"], row.get("scopeKind", "")
        )
        for row in rows
        if row["_type"] == "tag" and not row["name"].startswith("__anon")
    ]
    return [tag for tag in tags if tag.kind not in NOT_OURS | NOT_OURS_IN.get(language, frozenset())]


def _plain_name(name: str) -> str:
    """As we write it: `operator==` without a blank, without what it belongs to."""
    if name.startswith("operator"):
        return name.replace(" ", "") if not name[9:10].isalpha() else name
    return name.rpartition(".")[2].rpartition("::")[2]


def compare_tags(files: Sequence[ParsedFile], language: str) -> TagComparison:
    """Ours and theirs, over files of one language."""
    by_path = {file.path: file for file in files}
    own = {(tag.path, tag.name, tag.line): tag for file in files for tag in file.tags}
    other = {(tag.path, tag.name, tag.line): tag for tag in run_ctags(files, language)}
    found = TagComparison(files=len(files), both=len(own.keys() & other.keys()))
    own_names = {key[:2] for key in own}
    other_names = {key[:2] for key in other}
    for key in sorted(other.keys() - own.keys()):
        why = _explain_missing(other[key], by_path[key[0]], is_named=key[:2] in own_names)
        found.theirs.setdefault(why, []).append(other[key])
    for key in sorted(own.keys() - other.keys()):
        why = "the same name at another line" if key[:2] in other_names else own[key].kind
        found.ours.setdefault(why, []).append(own[key])
    return found


def _explain_missing(tag: SymbolTag, source: ParsedFile, *, is_named: bool) -> str:
    if source.tree is None:
        return "the file is not parsed"
    if is_named:
        return "the same name at another line"
    if source.is_unreadable(tag.line):
        return "an error of the grammar there"
    return f"{tag.kind} in a {tag.within}" if tag.within else tag.kind


def report_lines(name: str, found: Mapping[str, TagComparison], examples: int) -> Iterator[str]:
    for language, one in found.items():
        yield (
            f"{name}, {LANGUAGES[language]}: {one.files} files, {one.both} in both, "
            f"recall {one.recall:.4f}, precision {one.precision:.4f}"
        )
        for side, groups in (("ctags alone", one.theirs), ("ours alone", one.ours)):
            for why, tags in sorted(groups.items(), key=lambda group: -len(group[1])):
                shown = ", ".join(
                    f"{tag.name} ({tag.path}:{tag.line})" for tag in tags[:: max(len(tags) // examples, 1)][:examples]
                )
                yield f"  {side:<12} {len(tags):>5}  {why}: {shown}"


def json_rows(name: str, found: Mapping[str, TagComparison]) -> Iterator[str]:
    for language, one in found.items():
        reasons = {
            side: {why: len(tags) for why, tags in groups.items()}
            for side, groups in (("ctags", one.theirs), ("ours", one.ours))
        }
        figures = {"recall": one.recall, "precision": one.precision, "both": one.both, "files": one.files}
        yield json.dumps({"repository": name, "language": language, **figures, "alone": reasons})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", nargs="+", help="clones, bare or not, each with @COMMIT or at its head")
    parser.add_argument("--examples", type=int, default=3, help="of each kind of difference")
    parser.add_argument("--json", action="store_true", help="one JSON row per repository and language")
    options = parser.parse_args()
    for clone in options.clones:
        path, _, commit = clone.partition("@")
        files = list(read_sources(Path(path), commit or "HEAD"))
        counts = Counter(file.language.name for file in files)
        found = {
            language: compare_tags([f for f in files if f.language.name == language], language)
            for language in sorted(counts)
        }
        print(
            "\n".join(
                json_rows(name_of(Path(path)), found)
                if options.json
                else report_lines(name_of(Path(path)), found, options.examples)
            )
        )


if __name__ == "__main__":
    main()
