"""A running server, asked over real sockets."""

import socket
import threading

from lantern.app import App
from lantern.config.settings import Limits, Timeouts
from lantern.http.request import Request
from lantern.http.response import Response, text
from tests.support import ServerTest


def an_app() -> App:
    app = App()
    app.router.add("/hello", lambda _: text("hello\n"))
    app.router.add("/echo", lambda request: text(request.text()), ["POST"])
    app.router.add("/ignore", lambda _: text("not read\n"), ["POST"])
    app.router.add("/stream", lambda _: Response(body=iter([b"one", b"", b"two"])))
    app.router.add("/bug", a_bug)
    return app


def a_bug(_: Request) -> Response:
    raise ZeroDivisionError


class ServerSpeaksHttp(ServerTest):
    def test_keep_alive_carries_several_exchanges(self) -> None:
        client = self.client(self.serve(an_app()))
        for body in (b"first", b"second", b""):
            response = client.request("POST", "/echo", body=body)
            self.assertEqual((response.status, response.read()), (200, body))
            self.assertTrue(response.may_be_followed)

    def test_every_response_has_a_date_and_the_servers_name(self) -> None:
        server = self.serve(an_app())
        for sent in (
            b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /no HTTP/1.1\r\nHost: a\r\n\r\n",
            b"nonsense\r\n\r\n",
        ):
            response = self.raw(server, sent)
            self.assertEqual(response.server, server.identity.product)
            self.assertIn("Date", response.headers)

    def test_head_has_the_headers_of_get_and_no_body(self) -> None:
        client = self.client(self.serve(an_app()))
        head = client.request("HEAD", "/hello")
        self.assertEqual((head.status, head.headers.get("Content-Length"), head.read()), (200, "6", b""))
        self.assertEqual(client.request("GET", "/hello").read(), b"hello\n")

    def test_a_stream_is_chunked_for_1_1_and_closed_for_1_0(self) -> None:
        server = self.serve(an_app())
        response = self.client(server).request("GET", "/stream")
        self.assertEqual((response.headers.get("Transfer-Encoding"), response.read()), ("chunked", b"onetwo"))
        old = self.raw(server, b"GET /stream HTTP/1.0\r\n\r\n")
        self.assertNotIn("Transfer-Encoding", old.headers)
        self.assertFalse(old.may_be_followed)

    def test_an_unread_body_does_not_become_the_next_request(self) -> None:
        client = self.client(self.serve(an_app()))
        client.request("POST", "/ignore", body=b"GET /bug HTTP/1.1\r\n\r\n").read()
        self.assertEqual(client.request("GET", "/hello").read(), b"hello\n")

    def test_a_waiting_client_is_told_to_go_on(self) -> None:
        sent = b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
        response = self.raw(self.serve(an_app()), sent)
        self.assertEqual((response.interim, response.status), ((100,), 200))

    def test_a_chunked_request_is_read(self) -> None:
        client = self.client(self.serve(an_app()))
        self.assertEqual(client.request("POST", "/echo", body=iter([b"ab", b"", b"c"])).read(), b"abc")


class ServerIsCareful(ServerTest):
    def test_what_is_no_request_is_refused(self) -> None:
        server = self.serve(an_app(), limits=Limits(line_bytes=100, header_fields=3, body_bytes=10))
        cases = {
            b"nonsense\r\n\r\n": 400,
            b"GET / HTTP/1.1\nHost: a\n\n": 400,
            b"GET / HTTP/1.1\r\n\r\n": 400,
            b"GET / HTTP/3.0\r\n\r\n": 505,
            b"GET /" + b"a" * 200 + b" HTTP/1.1\r\n\r\n": 414,
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 9 + b"\r\n": 431,
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n": 413,
            b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n": 501,
            b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n": 400,
        }
        for sent, status in cases.items():
            with self.subTest(sent[:40]):
                response = self.raw(server, sent)
                self.assertEqual((response.status, response.may_be_followed), (status, False))

    def test_a_slow_head_is_408(self) -> None:
        server = self.serve(an_app(), timeouts=Timeouts(head_s=0.05))
        self.assertEqual(self.raw(server, b"GET / HT").status, 408)

    def test_a_bug_is_500_and_the_server_goes_on(self) -> None:
        client = self.client(self.serve(an_app()))
        with self.assertLogs("lantern.app", "ERROR"):
            self.assertEqual(client.request("GET", "/bug").status, 500)

    def test_no_room_is_503(self) -> None:
        entered, leave = threading.Event(), threading.Event()
        app = App()

        def hold(_: Request) -> Response:
            entered.set()
            leave.wait(5)
            return text("done\n")

        app.router.add("/hold", hold)
        server = self.serve(app, workers=1, waiting=0)
        self.addCleanup(leave.set)
        with socket.create_connection(server.address, 5) as busy:
            busy.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(entered.wait(5))
            refused = self.raw(server, b"")
            self.assertEqual((refused.status, refused.headers.get("Retry-After")), (503, "1"))
            leave.set()
            self.assertTrue(busy.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n"))


class ServerStops(ServerTest):
    def test_a_request_in_work_is_answered_and_an_idle_connection_is_closed(self) -> None:
        entered, leave = threading.Event(), threading.Event()
        app = an_app()

        def hold(_: Request) -> Response:
            entered.set()
            leave.wait(5)
            return text("done\n")

        app.router.add("/hold", hold)
        server = self.serve(app)
        results: list[bool] = []
        stopper = threading.Thread(target=lambda: results.append(server.stop()))
        with socket.create_connection(server.address, 5) as idle, socket.create_connection(server.address, 5) as busy:
            idle.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"keep-alive", idle.recv(1000))
            busy.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(entered.wait(5))
            stopper.start()
            self.assertEqual(idle.recv(1000), b"")  # closed: the stop is under way, and `busy` still waits
            leave.set()
            stopper.join(5)
            self.assertEqual(results, [True])
            self.assertIn(b"done\n", busy.recv(1000))
        with self.assertRaises(OSError):
            socket.create_connection(server.address, 1)
