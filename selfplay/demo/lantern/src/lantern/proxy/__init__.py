"""A reverse proxy: requests go on to another server, its responses come back."""
