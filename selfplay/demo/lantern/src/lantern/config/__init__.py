"""Settings: what they are (`settings`) and how a TOML file becomes them (`load`)."""
