import json
import subprocess
import sys
from pathlib import Path


def test_killed_at_twenty_random_moments_an_episode_resumes_and_ends_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.selfplay.episode.kill_driver", str(tmp_path), "1", "20"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert set(told["digests"]) == {told["whole"]}
    assert len(told["digests"]) == 20
    assert told["broken_off"] >= 20, "the kills did not fall into the episodes"
