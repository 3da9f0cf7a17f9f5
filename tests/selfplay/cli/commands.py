"""The command line, run inside the test."""

import pytest

from selfplay.cli import main


def run_command(
    capture: pytest.CaptureFixture[str] | pytest.CaptureFixture[bytes], *arguments: str
) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of a command."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = (text if isinstance(text, str) else text.decode() for text in capture.readouterr())
    return int(ended.value.code or 0), out, err
