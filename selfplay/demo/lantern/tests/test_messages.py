"""Header fields, request lines, cookies, bodies: what needs no server."""

import socket
import unittest

from lantern.errors import BadMessage
from lantern.http.cookies import SetCookie, parse_cookies
from lantern.http.headers import Headers
from lantern.http.parser import body_length, parse_headers, parse_request_line
from lantern.wire.body import Body, chunked_source
from lantern.wire.reader import Reader
from tests.support import a_request


class HeadersTest(unittest.TestCase):
    def test_names_are_compared_without_case(self) -> None:
        headers = Headers([("Content-Type", "text/plain")])
        headers.set("CONTENT-TYPE", "text/html")
        self.assertEqual(list(headers), [("CONTENT-TYPE", "text/html")])

    def test_no_value_can_start_a_second_header(self) -> None:
        for value in ("a\r\nSet-Cookie: b", "a\nb", "a\0", "\u2028"):
            with self.subTest(value), self.assertRaises(ValueError):
                Headers([("X", value)])

    def test_tokens_of_several_lines_are_one_list(self) -> None:
        headers = Headers([("Connection", "Keep-Alive, TE"), ("connection", "close")])
        self.assertEqual(headers.tokens("Connection"), ["keep-alive", "te", "close"])


class ParserTest(unittest.TestCase):
    def test_a_request_line_is_taken_apart(self) -> None:
        self.assertEqual(parse_request_line(b"GET /a?b HTTP/1.1"), ("GET", "/a?b", (1, 1)))

    def test_malformed_lines_are_refused(self) -> None:
        lines = (b"GET /", b"GET  / HTTP/1.1", b"G(T / HTTP/1.1", b"GET a HTTP/1.1", b"GET * HTTP/1.1", b"GET / HTTP/x")
        for line in lines:
            with self.subTest(line), self.assertRaises(BadMessage) as caught:
                parse_request_line(line)
            self.assertEqual(caught.exception.status, 400)

    def test_other_versions_are_named(self) -> None:
        with self.assertRaises(BadMessage) as caught:
            parse_request_line(b"GET / HTTP/2.0")
        self.assertEqual(caught.exception.status, 505)

    def test_folded_and_blank_padded_names_are_refused(self) -> None:
        for line in (b" folded: x", b"Name : x", b"no colon", b": x"):
            with self.subTest(line), self.assertRaises(BadMessage):
                parse_headers([line])

    def test_a_length_and_chunks_together_are_refused(self) -> None:
        pairs = [("Content-Length", "3"), ("Transfer-Encoding", "chunked")]
        with self.assertRaises(BadMessage):
            body_length(Headers(pairs))

    def test_two_slashes_are_a_path_and_no_host(self) -> None:
        request = a_request("//evil.example/x")
        self.assertEqual((request.path, request.host), ("//evil.example/x", "test"))


class BodyTest(unittest.TestCase):
    def read(self, sent: bytes, max_bytes: int | None = None) -> bytes:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(sent)
            theirs.shutdown(socket.SHUT_WR)
            return Body(chunked_source(Reader(ours)), max_bytes=max_bytes).read()

    def test_chunks_are_joined(self) -> None:
        self.assertEqual(self.read(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n"), b"abcde")

    def test_a_chunk_must_end_where_it_said(self) -> None:
        with self.assertRaises(BadMessage):
            self.read(b"3\r\nabcd\r\n0\r\n\r\n")

    def test_too_much_is_413(self) -> None:
        with self.assertRaises(BadMessage) as caught:
            self.read(b"5\r\nabcde\r\n0\r\n\r\n", max_bytes=4)
        self.assertEqual(caught.exception.status, 413)


class CookieTest(unittest.TestCase):
    def test_cookies_are_read_and_written(self) -> None:
        self.assertEqual(parse_cookies('a=1; b="2"; nonsense; a=3'), {"a": "1", "b": "2"})
        cookie = SetCookie(name="a", value="1", max_age_s=5, secure=True)
        self.assertEqual(str(cookie), "a=1; Path=/; SameSite=Lax; Max-Age=5; Secure; HttpOnly")

    def test_a_value_cannot_add_attributes(self) -> None:
        with self.assertRaises(ValueError):
            str(SetCookie(name="a", value="1; Domain=evil"))
