"""Three routes and a form: run it, then open the address it prints."""

from html import escape

from lantern.app import App
from lantern.config.settings import Settings
from lantern.core.server import Server
from lantern.http.request import Request
from lantern.http.response import Response, as_json, html, text

app = App()


@app.route("/")
def form(_: Request) -> Response:
    """A page that asks for a name."""
    return html('<form method="post" action="/greet"><input name="name" autofocus><button>Greet</button></form>')


@app.route("/greet", "POST")
def greet(request: Request) -> Response:
    """Greet whoever filled in the form."""
    name = request.form().get("name", ["nobody"])[0]
    return html(f"<p>Hello, {escape(name)}!</p>")


@app.route("/square/{number:int}")
def square(request: Request) -> Response:
    """JSON, with a typed part of the path."""
    number = request.params["number"]
    return as_json({"number": number, "square": number * number})


@app.route("/echo", "POST", "PUT")
def echo(request: Request) -> Response:
    """Give the body back."""
    return text(request.text())


if __name__ == "__main__":
    with Server(app, Settings(port=8080)) as server:
        input(f"{server.url} is open; Enter stops the server. ")
