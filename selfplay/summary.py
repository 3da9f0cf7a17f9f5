"""An episode in a few figures."""

from pathlib import Path
from typing import Any

from selfplay.rows import escape_undecodable
from selfplay.trace import HintKind, Trace


def summarize_episode(trace: Trace, path: Path) -> dict[str, Any]:
    """What a script wants to know of an episode; JSON values only."""
    hints = [step.judgement.hint for step in trace.steps if step.judgement.hint is not None]
    attempts = [attempt for step in trace.steps for attempt in step.judgement.attempts]
    usage = trace.usage
    return {
        "episode": trace.episode,
        "trace": escape_undecodable(path),
        "stop": None if trace.stop is None else trace.stop.model_dump(mode="json"),
        "steps": len(trace.steps),
        "targets": [str(target) for target in trace.task.answer.targets],
        "found": [str(trace.task.answer.targets[i]) for i in sorted(trace.found_targets)],
        "answer": [file.path for file in trace.answer or ()],
        "hints": len(hints),
        "feedback_hints": sum(hint.kind is HintKind.FEEDBACK for hint in hints),
        "stratum": trace.stratum,
        "refused": sum(bool(attempt.findings) for attempt in attempts),
        "repeated": sum(f.kind == "repeated" for attempt in attempts for f in attempt.findings),
        "judged": sum(attempt.opinion is not None for attempt in attempts),
        "refused_by_judge": sum(f.kind == "judge" for attempt in attempts for f in attempt.findings),
        "missing_verdicts": sum(step.judgement.missing is not None for step in trace.steps),
        "tokens": usage.total_tokens,
        "usage": usage.model_dump(mode="json"),
        "digest": trace.digest,
    }
