"""Tests. Servers listen on a free port of the loopback interface; nothing else is needed."""
