"""A run on a Ray cluster (the extra `ray`)."""
