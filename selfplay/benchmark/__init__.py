"""Tasks out of rows of benchmarks: SWE-bench and its kin, Loc-Bench, chat rows that say which files they are about.

    for where, made in import_rows(Path("verified.parquet"), "swebench", Places.at(Path("clones"))):
        ...                 # a Task, or a Rejected with its reason

`docs/mining.md` says which fields are read.
"""

from selfplay.benchmark.importing import FORMATS, BenchmarkFormat, Rejected, import_rows
from selfplay.benchmark.places import Places
from selfplay.benchmark.reading import read_values

__all__ = ["FORMATS", "BenchmarkFormat", "Places", "Rejected", "import_rows", "read_values"]
