"""Bytes in and bytes out: what lies between a socket and the messages of `lantern.http`."""
