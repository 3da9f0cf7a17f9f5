"""How a run stands: read from its folder, and shown."""
