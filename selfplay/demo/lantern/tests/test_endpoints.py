"""Static files, routes, error pages, proxy and admin pages."""

from lantern.app import App
from lantern.assemble import assemble
from lantern.config.settings import Admin, ProxyMount, Security, Settings, StaticMount
from lantern.http.response import Response, text
from lantern.runtime.counters import Counters
from lantern.runtime.identity import identify
from tests.support import ServerTest, a_request, content


def an_app(settings: Settings) -> App:
    return assemble(settings, identify("test"), Counters())


class StaticTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        root = self.folder / "public"
        (root / "sub").mkdir(parents=True)
        (root / "a.txt").write_bytes(b"0123456789")
        (root / "app.0123abcd.js").write_bytes(b"")
        (root / "sub" / "index.html").write_text("<p>sub")
        (root / ".hidden").write_text("no")
        (self.folder / "secret").write_text("no")
        (root / "link").symlink_to(self.folder / "secret")
        self.app = an_app(Settings(access_log="", static=(StaticMount(prefix="/", root=root),)))

    def get(self, target: str, method: str = "GET", **headers: str) -> Response:
        response = self.app(a_request(target, method, b"", **headers))
        self.addCleanup(response.close)
        return response

    def test_files_and_index_pages_are_served(self) -> None:
        self.assertEqual(content(self.get("/a.txt")), b"0123456789")
        self.assertEqual(content(self.get("/sub/")), b"<p>sub")
        self.assertEqual(self.get("/sub").headers.get("Location"), "./sub/")

    def test_nothing_else_is(self) -> None:
        for target in ("/no", "/.hidden", "/link", "/../secret", "/%2e%2e/secret", "/a.txt%00"):
            with self.subTest(target):
                self.assertEqual(self.get(target).status, 404)

    def test_an_unchanged_file_is_not_sent_again(self) -> None:
        tag = self.get("/a.txt").headers.get("ETag")
        self.assertEqual(self.get("/a.txt", If_None_Match=f'"x", W/{tag}').status, 304)
        self.assertEqual(self.get("/a.txt", If_None_Match='"x"').status, 200)

    def test_a_fingerprint_in_the_name_makes_it_immutable(self) -> None:
        self.assertIn("immutable", self.get("/app.0123abcd.js").headers.get("Cache-Control"))
        self.assertNotIn("immutable", self.get("/a.txt").headers.get("Cache-Control"))

    def test_ranges(self) -> None:
        for asked, got in (("bytes=2-3", b"23"), ("bytes=8-", b"89"), ("bytes=-3", b"789"), ("bytes=5-99", b"56789")):
            response = self.get("/a.txt", Range=asked)
            self.assertEqual((response.status, content(response)), (206, got))
        self.assertEqual(self.get("/a.txt", Range="bytes=10-").status, 416)

    def test_files_are_read_only(self) -> None:
        self.assertEqual(self.get("/a.txt", "DELETE").status, 405)


class RoutingTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.app = App()
        self.app.router.add("/users/{id:int}", lambda request: text(repr(request.params)))
        self.app.router.add("/files/{rest:path}", lambda request: text(repr(request.params)), ["PUT"])

    def test_parts_are_typed(self) -> None:
        self.assertEqual(self.app(a_request("/users/7")).body, b"{'id': 7}")
        self.assertEqual(self.app(a_request("/files/a/b", "PUT")).body, b"{'rest': 'a/b'}")
        self.assertEqual(self.app(a_request("/users/x")).status, 404)

    def test_a_wrong_method_is_told_the_right_ones(self) -> None:
        response = self.app(a_request("/users/7", "POST"))
        self.assertEqual((response.status, response.headers.get("Allow")), (405, "GET, HEAD, OPTIONS"))

    def test_error_pages_come_as_asked_for_and_escaped(self) -> None:
        page = self.app(a_request("/%3Cscript%3E"))
        self.assertIn(b"&lt;script&gt;", content(page))
        self.assertEqual(
            self.app(a_request("/x", Accept="application/json")).headers.get("Content-Type"), "application/json"
        )


class ProxyTest(ServerTest):
    def test_a_request_goes_through_and_comes_back(self) -> None:
        behind = App()
        behind.router.add("/base/echo", lambda r: text(f"{r.text()} {r.query} {r.headers.get('Via')}"), ["POST"])
        upstream = self.serve(behind)
        mount = ProxyMount(prefix="/api", upstream=f"{upstream.url}/base")
        client = self.client(self.serve(an_app(Settings(access_log="", proxy=(mount,)))))
        response = client.request("POST", "/api/echo?a=1", body=b"hi")
        self.assertEqual(response.text(), "hi {'a': ['1']} 1.1 lantern")
        self.assertEqual(response.headers.get_all("Via"), ["1.1 lantern"])
        self.assertEqual(client.request("GET", "/api/none").status, 404)

    def test_nobody_behind_is_502(self) -> None:
        gone = self.serve(App())
        mount = ProxyMount(prefix="/", upstream=gone.url)
        gone.stop()
        self.assertEqual(an_app(Settings(access_log="", proxy=(mount,)))(a_request("/")).status, 502)


class AdminTest(ServerTest):
    def test_it_says_what_it_is(self) -> None:
        app = an_app(Settings(access_log="", admin=Admin(enabled=True), security=Security(enabled=False)))
        self.assertIn(b'"instance":"test"', content(app(a_request("/-/about"))))
        self.assertEqual(app(a_request("/-/health")).body, b"ok\n")

    def test_security_headers_are_on_every_page(self) -> None:
        response = an_app(Settings(access_log=""))(a_request("/none"))
        self.assertEqual(response.headers.get("X-Content-Type-Options"), "nosniff")
        self.assertIn("default-src", response.headers.get("Content-Security-Policy"))
