"""Tasks out of rows of benchmarks: SWE-bench and its kin, Loc-Bench, chat rows that say which files they are about.

    for where, made in import_rows(Path("verified.parquet"), "swebench", RepositoryLocations.from_path(Path("clones"))):
        ...                 # a Task, or a RejectedRow with its reason

`docs/mining.md` says which fields are read.
"""

from selfplay.tasks.importers.benchmarks import (
    BENCHMARK_FORMATS,
    BenchmarkFormat,
    RejectedRow,
    RepositoryLocations,
    import_rows,
)
from selfplay.tasks.importers.raw_rows import read_objects

__all__ = ["BENCHMARK_FORMATS", "BenchmarkFormat", "RejectedRow", "RepositoryLocations", "import_rows", "read_objects"]
