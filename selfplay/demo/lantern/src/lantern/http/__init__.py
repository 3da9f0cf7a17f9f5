"""The vocabulary of HTTP: messages, their header fields, status codes, cookies, dates. No sockets in here."""
