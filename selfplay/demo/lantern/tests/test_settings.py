"""Configuration, sessions and certificates."""

import hashlib
import unittest

from lantern.app import App
from lantern.config.load import load_settings
from lantern.config.settings import Sessions
from lantern.errors import ConfigError
from lantern.http.request import Request
from lantern.http.response import Response, text
from lantern.sessions.middleware import sessions, sign, unsign
from lantern.sessions.store import SessionStore
from lantern.tls.fingerprint import certificate_fingerprint, matches_pin
from tests.support import ServerTest, a_request


class ConfigTest(ServerTest):
    def load(self, content: str) -> object:
        path = self.folder / "lantern.toml"
        path.write_text(content)
        return load_settings(path)

    def test_tables_become_settings(self) -> None:
        path = self.folder / "lantern.toml"
        path.write_text('port = 0\n[timeouts]\nidle_s = 3\n[[static]]\nprefix = "/"\nroot = "public"\n')
        settings = load_settings(path)
        self.assertEqual((settings.port, settings.timeouts.idle_s), (0, 3.0))
        self.assertEqual(settings.static[0].root, self.folder.resolve() / "public")

    def test_complaints_name_the_place(self) -> None:
        cases = {
            "prot = 1": "unknown setting 'prot'",
            'port = "80"': "port: '80' is no int",
            "[limits]\nline_bytes = true": "limits: line_bytes: True is no int",
            "[[static]]\nprefix = '/'": "static[0]: 'root' is missing",
            "[static]\nprefix = '/'": "double brackets",
            "port = ": "no TOML",
        }
        for content, complaint in cases.items():
            with self.subTest(content), self.assertRaises(ConfigError) as caught:
                self.load(content)
            self.assertIn(complaint, str(caught.exception))


class SessionTest(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.app = App()
        self.app.use(sessions(Sessions(secret="0123456789abcdef"), SessionStore(60, clock=lambda: self.now)))
        self.app.router.add("/count", self.count)
        self.app.router.add("/look", lambda _: text("looked"))

    def count(self, request: Request) -> Response:
        values = request.state["session"].values
        values["count"] = values.get("count", 0) + 1
        return text(str(values["count"]))

    def test_values_come_back_with_the_cookie(self) -> None:
        cookie = self.app(a_request("/count", User_Agent="a")).headers.get("Set-Cookie").partition(";")[0]
        self.assertEqual(self.app(a_request("/count", User_Agent="a", Cookie=cookie)).body, b"2")

    def test_another_browser_gets_a_session_of_its_own(self) -> None:
        cookie = self.app(a_request("/count", User_Agent="a")).headers.get("Set-Cookie").partition(";")[0]
        self.assertEqual(self.app(a_request("/count", User_Agent="b", Cookie=cookie)).body, b"1")

    def test_sessions_end(self) -> None:
        cookie = self.app(a_request("/count")).headers.get("Set-Cookie").partition(";")[0]
        self.now = 61.0
        self.assertEqual(self.app(a_request("/count", Cookie=cookie)).body, b"1")

    def test_no_cookie_without_need(self) -> None:
        self.assertNotIn("Set-Cookie", self.app(a_request("/look")).headers)

    def test_a_forged_cookie_is_no_session(self) -> None:
        self.assertEqual(unsign(sign("abc", b"key"), b"key"), "abc")
        for value in ("", "abc", "abc.", sign("abc", b"other"), "\xe4.\xe4"):
            self.assertIsNone(unsign(value, b"key"))


class FingerprintTest(unittest.TestCase):
    def test_a_pin_is_compared_however_it_is_written(self) -> None:
        der = b"not really a certificate"
        shown = certificate_fingerprint(der)
        self.assertEqual(len(shown), 32 * 3 - 1)
        self.assertTrue(matches_pin(der, shown))
        self.assertTrue(matches_pin(der, hashlib.sha256(der).hexdigest()))
        self.assertFalse(matches_pin(der, shown[:-1] + "x"))
        self.assertFalse(matches_pin(None, shown))
