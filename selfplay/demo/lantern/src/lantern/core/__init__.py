"""The running server: accepting connections, giving them to workers, and stopping without dropping anyone."""
