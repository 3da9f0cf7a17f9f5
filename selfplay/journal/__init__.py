"""The journal: one append-only file per episode; written, resumed, replayed."""
