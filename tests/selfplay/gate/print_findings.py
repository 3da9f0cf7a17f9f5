"""Prints every finding of the table of hints. Run in a process of its own: sets have another order in each.

python -m tests.selfplay.gate.print_findings FOLDER
"""

import sys
from pathlib import Path

from tests.selfplay.gate.hint_table import find_in_hint, open_cases, read_hints

if __name__ == "__main__":
    with open_cases(Path(sys.argv[1])) as cases:
        for row in read_hints():
            for finding in find_in_hint(row, cases[row.task]):
                sys.stdout.write(f"{finding.model_dump_json()}\n")
