"""What is found in awkward code of each language: `kind qualified first-last`, in the order of the text."""

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.code.code_file import parse_code
from selfplay_tools.code.definitions import Definition
from selfplay_tools.code.likely_definitions import may_define
from selfplay_tools.text.lines import TextSpan

PYTHON = (
    "a.py",
    """
    import os
    @decorated
    @twice(1)
    async def fetch(url: str,
                    *, retries: int = 3) -> bytes:  # comment
        timeout = 1
        def inner(): ...
        return b""

    @dataclass(frozen=True)
    class Outer(Base):
        field: int = 0
        LIMIT = 3
        class Inner:
            @property
            def value(self): return 1
        @overload
        def over(self, a: int) -> int: ...
        def over(self, a): return a

    Alias = dict[str, int]
    a, b = 1, 2
    type Pair[T] = tuple[T, T]
    try:
        import json
    except ImportError:
        json = None
    if os.name == "nt":
        SEPARATOR: str = ";"
    """,
    """
    function fetch 3-9 | function fetch.inner 8-8
    class Outer 11-20 | constant Outer.LIMIT 14-14 | class Outer.Inner 15-17 | method Outer.Inner.value 16-17
    method Outer.over 18-19 | method Outer.over 20-20
    variable Alias 22-22 | variable a 23-23 | variable b 23-23 | type Pair 24-24 | variable json 28-28
    constant SEPARATOR 30-30
    """,
)
JAVASCRIPT = (
    "a.js",
    """
    const fs = require('fs'), LIMIT = 3;
    module.exports = { start() {}, stop: function () {} };
    exports.open = function open(path) {};
    Server.prototype.listen = function (port) {};
    app.use = (fn) => fn;
    export default function App() { const inner = () => { const local = 1; }; return <App title="App">App</App>; }
    export class Queue extends Base {
      static make() {}
      async *items() {}
      #hidden() {}
      get size() { return 0 }
      handler = () => {};
    }
    function* generate() {}
    let Named = class { run() {} };
    """,
    """
    constant LIMIT 2-2 | method start 3-3 | method stop 3-3 | function open 4-4 | method Server.listen 5-5
    method app.use 6-6 | function App 7-7 | function App.inner 7-7
    class Queue 8-14 | method Queue.make 9-9 | method Queue.items 10-10 | method Queue.#hidden 11-11
    method Queue.size 12-12 | method Queue.handler 13-13
    function generate 15-15 | class Named 16-16 | method Named.run 16-16
    """,
)
TYPESCRIPT = (
    "a.ts",
    """
    @injectable()
    export abstract class Store<T> implements Base {
      @logged
      get(key: string): T { return this.map[key]; }
      abstract put(key: string): void;
      find(a: string): T;
      find(a: any) { return a; }
      private each = (fn: F) => fn;
    }
    export interface Shape { name: string; area(): number }
    export enum Color { Red, Green }
    export const enum Small { One }
    export namespace Geo.Flat { export const PI = 3; export function turn() {} }
    export type Id = string | number;
    export const load = async (id: Id): Promise<void> => {};
    declare function ambient(x: number): void;
    declare module "other" { export function inside(): void; }
    """,
    """
    class Store 2-10 | method Store.get 4-5 | method Store.put 6-6 | declaration Store.find 7-7
    method Store.find 8-8 | method Store.each 9-9
    interface Shape 11-11 | method Shape.area 11-11 | enum Color 12-12 | enum Small 13-13
    namespace Geo.Flat 14-14 | constant Geo.Flat.PI 14-14 | function Geo.Flat.turn 14-14
    type Id 15-15 | function load 16-16 | declaration ambient 17-17
    namespace other 18-18 | declaration other.inside 18-18
    """,
)
TSX = (
    "a.tsx",
    """
    export const Button: FC<Props> = ({ label }) => <button className="Button">{label}</button>;
    function Page<T,>(props: T) { return <Button label="x" />; }
    """,
    "function Button 2-2 | function Page 3-3",
)
GO = (
    "a.go",
    """
    package p
    const ( Red = iota
      Green )
    var a, b = 1, 2
    var _ Reader = (*File)(nil)
    type File struct { name string }
    type Reader interface { Read(p []byte) (int, error) }
    type Set[T comparable] map[T]bool
    type ( Alias = File
      Count int )
    func Open[T any](name T) (*File, error) { type local struct{}; return nil, nil }
    func (f *File) Close() error { return nil }
    func (s Set[T]) Has(v T) bool { return s[v] }
    func (*Set[T]) Clear() {}
    """,
    """
    constant Red 3-3 | constant Green 4-4 | variable a 5-5 | variable b 5-5
    struct File 7-7 | interface Reader 8-8 | method Reader.Read 8-8 | type Set 9-9 | type Alias 10-10 | type Count 11-11
    function Open 12-12 | struct Open.local 12-12 | method File.Close 13-13
    method Set.Has 14-14 | method Set.Clear 15-15
    """,
)
RUST = (
    "a.rs",
    """
    #[derive(Debug)]
    /// Words about it.
    #[repr(C)]
    pub struct Point<T> { x: T }
    impl<T: Clone> Point<T> {
        #[inline]
        pub const fn x(&self) -> &T { &self.x }
        const ZERO: i32 = 0;
    }
    impl<T> fmt::Display for Point<T> { fn fmt(&self) { } }
    pub trait Shape { type Unit; fn area(&self) -> f64; fn twice(&self) -> f64 { 2.0 } }
    macro_rules! square { ($x:expr) => { $x * $x }; }
    mod inner { pub(crate) async fn helper() {} }
    mod elsewhere;
    pub enum Kind { One, Two(i32) }
    static mut COUNT: u32 = 0;
    union Bits { a: u32 }
    extern "C" { fn abs(x: i32) -> i32; }
    type Result<T> = std::result::Result<T, Error>;
    """,
    """
    struct Point 2-5 | method Point.x 7-8 | constant Point.ZERO 9-9 | method Point.fmt 11-11
    trait Shape 12-12 | type Shape.Unit 12-12 | method Shape.area 12-12 | method Shape.twice 12-12
    macro square 13-13 | namespace inner 14-14 | function inner.helper 14-14 | enum Kind 16-16
    variable COUNT 17-17 | union Bits 18-18 | declaration abs 19-19 | type Result 20-20
    """,
)
JAVA = (
    "A.java",
    """
    package p;
    @Entity
    public class Order<T> extends Base implements Runnable {
        private int total;
        static final int LIMIT = 3;
        public Order(int total) { this.total = total; }
        @Override
        public <R> R run(List<? extends T> items) throws IOException { return null; }
        static class Line { record Price(int cents) { Price { check(cents); } } }
        enum State { NEW, DONE { void leave() {} }; int code() { return 1; } }
        interface Visitor { int LEVEL = 1; void visit(Order<?> o); default void end() {} }
        @interface Marked { String value() default ""; }
    }
    """,
    """
    class Order 3-14 | constant Order.LIMIT 6-6 | method Order.Order 7-7 | method Order.run 8-9
    class Order.Line 10-10 | class Order.Line.Price 10-10 | method Order.Line.Price.Price 10-10
    enum Order.State 11-11 | method Order.State.DONE.leave 11-11 | method Order.State.code 11-11
    interface Order.Visitor 12-12 | constant Order.Visitor.LEVEL 12-12 | method Order.Visitor.visit 12-12
    method Order.Visitor.end 12-12 | interface Order.Marked 13-13 | method Order.Marked.value 13-13
    """,
)
C = (
    "a.c",
    """
    #define LIMIT 10
    #define MAX(a, b) \\
        ((a) > (b) ? (a) : (b))
    struct node;
    typedef struct node { struct node *next; } node_t, *node_p;
    typedef int (*callback)(int, void *);
    enum color { RED, GREEN };
    union value { int i; float f; };
    extern int shared;
    static const char *names[] = { "a" };
    int (*handler)(int) = 0;
    int declared(int, char **);
    static inline char **split(const char *text) { int local = 1; return 0; }
    void (*signal(int sig, void (*func)(int)))(int) { return 0; }
    int old_style(a, b) int a; char *b; { return a; }
    #ifdef __linux__
    API_EXPORT int guarded(void) { return 0; }
    #endif
    """,
    """
    macro LIMIT 2-2 | macro MAX 3-4 | type node_t 6-6 | type node_p 6-6 | struct node 6-6 | type callback 7-7
    enum color 8-8 | union value 9-9 | declaration shared 10-10 | constant names 11-11 | variable handler 12-12
    declaration declared 13-13 | function split 14-14 | function signal 15-15 | function old_style 16-16
    function guarded 18-18
    """,
)
CPP = (
    "a.cc",
    """
    namespace a::b {
    class EXPORT_API Widget final : public Base {
     public:
      Widget();
      virtual ~Widget() = default;
      int size() const { return 1; }
      virtual void draw() = 0;
      bool operator==(const Widget& o) const;
      template <class T> T as() { return T{}; }
      static int count;
    };
    }
    template <typename T>
    class Box { };
    template <typename T> void Box<T>::put(T value) {}
    a::b::Widget::Widget() : Base(1) {}
    bool a::b::Widget::operator==(const Widget& o) const { return true; }
    Widget::operator bool() const { return true; }
    using Id = unsigned long;
    enum class Mode : int { On };
    namespace { constexpr int kHidden = 1; }
    auto trailing(int x) -> int { return x; }
    extern "C" { void from_c(void); }
    template <> struct std::hash<Id> { };
    BEGIN_NAMESPACE
    """,
    """
    namespace a.b 2-13 | class a.b.Widget 3-12 | declaration a.b.Widget.Widget 5-5 | method a.b.Widget.~Widget 6-6
    method a.b.Widget.size 7-7 | declaration a.b.Widget.draw 8-8 | declaration a.b.Widget.operator== 9-9
    method a.b.Widget.as 10-10 | class Box 14-15 | method Box.put 16-16 | method a.b.Widget.Widget 17-17
    method a.b.Widget.operator== 18-18 | method Widget.operator bool 19-19 | type Id 20-20 | enum Mode 21-21
    constant kHidden 22-22 | function trailing 23-23 | declaration from_c 24-24 | struct std.hash 25-25
    """,
)
RUBY = (
    "a.rb",
    """
    module Outer::Inner
      class Server < Base
        PORT = 80
        attr_reader :host, :port
        def self.start(x) = new
        def running?; @on; end
        class << self
          def stop; end
        end
        define_method(:dynamic) { 1 }
        alias_method :halt, :stop
        private def secret; end
      end
    end
    Point = Struct.new(:x) do
      def dist; end
    end
    def top; end
    def obj.single; end
    """,
    """
    module Outer.Inner 2-15 | class Outer.Inner.Server 3-14 | constant Outer.Inner.Server.PORT 4-4
    method Outer.Inner.Server.host 5-5 | method Outer.Inner.Server.port 5-5 | method Outer.Inner.Server.start 6-6
    method Outer.Inner.Server.running? 7-7 | method Outer.Inner.Server.stop 9-9
    method Outer.Inner.Server.dynamic 11-11
    method Outer.Inner.Server.halt 12-12 | method Outer.Inner.Server.secret 13-13
    class Point 16-18 | method Point.dist 17-17 | function top 19-19 | method obj.single 20-20
    """,
)
SNIPPETS = (PYTHON, JAVASCRIPT, TYPESCRIPT, TSX, GO, RUST, JAVA, C, CPP, RUBY)


def find_in(path: str, text: str | bytes) -> tuple[Definition, ...]:
    return parse_code(path, text.encode() if isinstance(text, str) else text).definitions


def format_definitions(definitions: tuple[Definition, ...]) -> list[str]:
    return [f"{one.kind} {one.qualified} {one.first}-{one.last}" for one in definitions]


@pytest.mark.parametrize(("path", "text", "expected"), SNIPPETS, ids=[path for path, *_ in SNIPPETS])
def test_all_definitions_of_awkward_code_are_found(path: str, text: str, expected: str) -> None:
    rows = [row.strip() for line in dedent(expected).strip().splitlines() for row in line.split("|")]
    assert format_definitions(find_in(path, dedent(text))) == rows


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, text, _ in SNIPPETS])
def test_the_look_before_parsing_never_says_no_to_a_definition(path: str, text: str) -> None:
    source = dedent(text).encode()
    code = parse_code(path, source)
    assert code.language is not None
    span = TextSpan(source + b"\n", (path,), (0,), (len(source) + 1,))
    seen = tuple(one for one in code.definitions if may_define(code.language.name, one.name, span))
    assert format_definitions(seen) == format_definitions(code.definitions)
    assert not may_define(code.language.name, "absent", span)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_look_before_parsing_reads_a_last_line_with_or_without_its_end(end: str) -> None:
    for last, is_one in (("use(reader)", False), ("def reader(): pass", True)):
        text = f"import io\n{last}{end}".encode()
        span = TextSpan(text, ("a.py",), (0,), (len(text),))
        assert may_define("python", "reader", span) is is_one


@pytest.mark.parametrize(
    ("path", "text", "signature"),
    [
        ("a.py", "@d\nasync def f(a,\n    # why\n    b=1) -> int:  # c\n    pass\n", "async def f(a, b=1) -> int"),
        ("a.py", "LIMIT = {\n 1: 2,\n}\n", "LIMIT = {"),
        ("a.ts", "@d() export default class A<T> extends B<T> {\n}\n", "export default class A<T> extends B<T>"),
        ("A.java", "class A { @Deprecated public static void f(int a) {} }", "public static void f(int a)"),
        ("a.go", "type S struct {\n a int\n}\n", "type S struct"),
        ("a.rs", "#[inline]\npub fn f<T>(x: T)\nwhere T: Copy {\n}\n", "pub fn f<T>(x: T) where T: Copy"),
        ("a.cc", "template <class T>\nA<T>::A(int x)\n    : x_(x) {\n}\n", "template <class T> A<T>::A(int x)"),
        ("a.rb", "class A < B\n def x; end\nend\n", "class A < B"),
    ],
)
def test_a_signature_is_the_head_on_one_line(path: str, text: str, signature: str) -> None:
    assert signature in [one.signature for one in find_in(path, text)]


def test_lines_are_the_same_with_either_line_end_and_with_a_byte_order_mark() -> None:
    path, text, _ = PYTHON
    plain = dedent(text)
    assert format_definitions(find_in(path, plain.replace("\n", "\r\n"))) == format_definitions(find_in(path, plain))
    assert format_definitions(find_in(path, "\ufeff" + plain)) == format_definitions(find_in(path, plain))


def test_a_syntax_error_hides_only_what_stands_in_it() -> None:
    text = "def before(): pass\n\nx = = (\n\ndef after(): pass\n\nclass A:\n    def m(self): pass\n"
    assert {"before", "A", "m"} <= {one.name for one in find_in("a.py", text)}


def test_bytes_that_are_no_utf8_do_no_harm() -> None:
    source = b"# caf\xe9\nNAME = 'na\xefve'\ndef f(): return '\xff'\n"
    assert format_definitions(find_in("a.py", source)) == ["constant NAME 2-2", "function f 3-3"]


def test_a_field_that_points_to_a_constant_is_a_field() -> None:
    text = "class A {\n  const char* name;\n  const int& ref;\n  const char* get();\n};\n"
    assert format_definitions(find_in("a.cc", text)) == ["class A 1-5", "declaration A.get 4-4"]


def test_names_beyond_ascii_are_names() -> None:
    assert [one.name for one in find_in("a.py", "def größe(): pass\nclass Ñandú: pass\n")] == ["größe", "Ñandú"]


@pytest.mark.parametrize("path", ["a.py", "a.js", "a.ts", "a.tsx", "a.go", "a.rs", "A.java", "a.c", "a.cc", "a.rb"])
def test_an_empty_file_defines_nothing(path: str) -> None:
    assert find_in(path, b"") == ()
    assert find_in(path, b"\n\n") == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", '"""\ndef f(): pass\n"""\n# class A:\n'),
        ("a.js", "/* function f() {} */ const s = `function g() {}`;"),
        ("a.c", '/* int f(void) {} */ char *s = "int g(void) {}";'),
        ("a.rb", "x = <<~RUBY\n  def f; end\nRUBY\n# class A\n"),
    ],
)
def test_comments_and_strings_define_nothing(path: str, text: str) -> None:
    assert {one.name for one in find_in(path, text)} <= {"s"}


@given(st.text(alphabet=st.sampled_from(list("abc_ (){}[]<>;:,.=*&#@'\"\n/\\0")), max_size=120))
def test_definitions_lie_in_the_text_and_hold_their_names(text: str) -> None:
    lines = text.encode().count(b"\n") + 1
    for path in ("a.py", "a.ts", "a.cc", "a.rs", "a.rb"):
        for one in find_in(path, text):
            assert 1 <= one.first <= one.line <= one.last <= lines
            assert one.qualified == one.name or one.qualified.endswith(f".{one.name}")


def test_every_kind_that_is_found_is_on_the_page_on_languages() -> None:
    page = (Path(__file__).parents[3] / "docs" / "languages.md").read_text(encoding="utf-8")
    kinds = {one.kind for path, text, _ in SNIPPETS for one in find_in(path, dedent(text))}
    assert len(kinds) == 15
    assert {kind for kind in kinds if f"`{kind}`" not in page} == set()
