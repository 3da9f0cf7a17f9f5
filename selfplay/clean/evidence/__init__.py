"""Evidence: for every argument of every call, where in the visible conversation it came from."""

from selfplay.clean.evidence.gather import evidence_of
from selfplay.clean.evidence.graph import graph_of
from selfplay.clean.evidence.links import (
    Evidence,
    EvidenceChain,
    EvidenceGraph,
    EvidenceLink,
    EvidenceSource,
    LinkPlace,
)

__all__ = [
    "Evidence",
    "EvidenceChain",
    "EvidenceGraph",
    "EvidenceLink",
    "EvidenceSource",
    "LinkPlace",
    "evidence_of",
    "graph_of",
]
