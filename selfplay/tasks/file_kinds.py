"""What a file is for, judged by its path: code, test, documentation, generated, vendored, or something else."""

import re
from enum import StrEnum
from functools import lru_cache
from pathlib import PurePosixPath

SOURCE_SUFFIXES = frozenset(
    """.py .pyx .pyi .pxd .c .cc .cpp .cxx .h .hh .hpp .hxx .m .mm .go .rs .java .kt .kts .scala .groovy .clj .cs .fs
    .vb .swift .dart .js .jsx .mjs .cjs .ts .tsx .mts .cts .vue .svelte .rb .erb .php .pl .pm .lua .tcl .r .jl .ex
    .exs .erl .hrl .hs .ml .mli .elm .nim .zig .d .sh .bash .ps1 .sql .proto .css .scss .less .html .cu .f90 .s""".split()
)
"""Ends of names of source code, in lower case."""


class FileKind(StrEnum):
    """What a file is for."""

    SOURCE = "source"
    TEST = "test"
    DOCS = "docs"
    GENERATED = "generated"
    VENDORED = "vendored"
    OTHER = "other"
    """Data, settings, pictures."""


_VENDORED = re.compile(
    r"(?i)(^|/)(vendor|vendored|_vendor|third[-_]?party|3rdparty|node_modules|bower_components|externals?|"
    r"site-packages|godeps|carthage|pods)/|^deps/"
)
_GENERATED = re.compile(
    r"(?i)^(dist|build|out)/|(^|/)(generated|__generated__|autogen|bindata)/|[._-]min\.(js|css)$|\.bundle\.js$"
    r"|_pb2(_grpc)?\.pyi?$|\.pb(\.gw)?\.go$|\.pb\.(cc|h)$|[._-]generated\.\w+$|\.gen\.\w+$|_gen\.go$|\.g\.(dart|cs)$"
    r"|\.designer\.cs$|(^|/)(zz_generated|parsetab|lextab)[^/]*$|_(string|easyjson|ffjson)\.go$"
    r"|\.(lock|snap|map|po|pot|svg|ipynb)$|(^|/)(package-lock\.json|go\.sum)$"
)
_TEST = re.compile(
    r"(?i)(^|/)(tests?|testsuites?|testing|test[-_]?data|testutils?|specs?|__tests__|__mocks__|mocks?|fixtures?|e2e|"
    r"bench(mark)?s?|test-dts|asv_bench)/|(^|/)(test|tests|spec|conftest)([_.-][^/]*)?\.\w+$"
    r"|[_.-](tests?|specs?|bench)\.\w+(\.\w+)?$|(^|/)(?-i:[^/]*(Tests?|TestCase|IT|Spec))\.(java|kt|scala|groovy|cs|swift)$"
)
_DOCS = re.compile(
    r"(?i)(^|/)(docs?|documentation|doc-src|website|www|examples?|samples?|demos?|tutorials?|changelogs?|manual|man|"
    r"locales?|translations)/|\.(md|mdx|rst|txt|adoc|tex|texi|[1-8]|html?)$"
    r"|(^|/)(readme|changes|changelog|news|history|authors|contributors|license|licence|copying|todo)[^/.]*$"
)
_TOOLING = re.compile(r"(?i)(^|/)\.[\w-]+/|^(ci|\.ci)/")
"""Folders of services around the code (`.github`, `.circleci`)."""
_PAGES = re.compile(
    r"(?i)^(?!(?:.*/)?(?:docs?|website|examples?|samples?|demos?|tutorials?)/).*?\b(templates?|views|components|layouts)/"
)
"""Folders of pages that a program shows; those of its examples are documentation."""
_TABLE = (
    (_VENDORED, FileKind.VENDORED),
    (_GENERATED, FileKind.GENERATED),
    (_TEST, FileKind.TEST),
    (_DOCS, FileKind.DOCS),
    (_TOOLING, FileKind.OTHER),
)
_MARKS = re.compile(
    rb"(?i)@generated\b|\bcode generated\b.{0,200}\bdo not edit\b|\b(auto-?|automatically )generated\b.{0,200}"
    rb"\b(do not|don't) (edit|modify|change)|\bdo not (edit|modify)[^\n]{0,80}\bgenerated",
)
MARK_BYTES = 2000
"""How far into a file it may say that it is generated."""


@lru_cache(maxsize=1 << 16)
def file_kind_of(path: str) -> FileKind:
    """What the file at that path is for."""
    for pattern, kind in _TABLE:
        if pattern.search(path) and not (kind is FileKind.DOCS and path.endswith(".html") and _PAGES.search(path)):
            return kind
    return FileKind.SOURCE if PurePosixPath(path).suffix.lower() in SOURCE_SUFFIXES else FileKind.OTHER


def is_marked_generated(content: bytes) -> bool:
    """Whether the head of a file says that a program wrote it."""
    return _MARKS.search(content[:MARK_BYTES]) is not None
