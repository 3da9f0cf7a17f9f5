"""lantern: a small HTTP/1.1 server that needs nothing but the standard library.

Build an `App` (see `lantern.app`), hand it to a `Server` (see `lantern.core.server`), or write a TOML file and run
`python -m lantern --config FILE`.
"""

__version__ = "0.9.2"
