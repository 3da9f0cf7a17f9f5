"""A small HTTP client: what the proxy, the tests and the scripts talk to servers with."""
