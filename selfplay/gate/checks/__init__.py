"""The gate's checks: one module for each way in which a hint can reveal the answer."""
