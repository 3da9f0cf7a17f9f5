import subprocess
import sys

import pytest

from selfplay.clean.stages.code_names import names_in


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I read `the list` in src/pump/tank.py now.", ("the list", "src/pump/tank.py")),
        ("tank.py calls drain_slowly and openValve, e.g. twice.", ("tank.py", "drain_slowly", "openValve")),
        ("tests/test_tank.py::TestTank.empty fails", ("tests/test_tank.py", "TestTank.empty")),
        ("crate::pump::tank.rs or std::fs", ("crate::pump::tank.rs",)),
        ("HTTPServer and JSONEncoder, MyHTTPServer2", ("HTTPServer", "JSONEncoder", "MyHTTPServer2")),
        ("ask the APIs of two GPUs, re-read HTTP", ()),
        ("调用send_headers写入src/wire.py的HTTPServer。", ("send_headers", "src/wire.py", "HTTPServer")),
        ("send_headersを呼ぶ", ("send_headers",)),
        ("вызови send_headers и größe_neu", ("send_headers", "größe_neu")),
        ("nothing that is a name", ()),
    ],
)
def test_paths_file_names_and_identifiers_are_names(text: str, names: tuple[str, ...]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize("piece", ["a", "_", "a::", "1.", "a-", "a.-", "A", "Aa", "AAa", "a/", "é"])
def test_a_model_that_repeats_itself_for_ever_is_read_in_no_time(piece: str) -> None:
    """Of its own process: what takes minutes is ended, not waited for."""
    code = f"from selfplay.clean.stages.code_names import names_in; names_in({piece!r} * 60_000)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
