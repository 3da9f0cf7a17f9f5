"""Prints every finding of the table of hints. Run in a process of its own: sets have another order in each.

python -m tests.selfplay.gate.all_findings FOLDER
"""

import sys
from pathlib import Path

from tests.selfplay.gate.table import found_in, opened_cases, rows

if __name__ == "__main__":
    with opened_cases(Path(sys.argv[1])) as cases:
        for row in rows():
            for finding in found_in(row, cases[row.task]):
                sys.stdout.write(f"{finding.model_dump_json()}\n")
