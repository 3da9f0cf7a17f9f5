"""The examples that the supervisor is given are what the gate does."""

import re
from typing import get_args

import pytest

from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.trace import FindingKind
from selfplay.gate import Guard, ShownText, check_hint, prepare_guard
from selfplay.prompts import load_prompt
from selfplay_tools.snapshot.directory import DirectorySnapshot

TARGET = "shop/billing/invoice.py"
FILES = {
    TARGET: 'BASIS = "X-Surcharge-Basis"\n\n\ndef collect_overdue(account):\n'
    "    # the fee grows by one step for each week after the second reminder\n"
    "    return account.balance * account.weeks\n",
    "shop/accounts/ledger.py": "class Ledger:\n    def balance(self, account):\n        return account.total\n",
    "shop/pages/reminder.py": "from shop.billing.invoice import collect_overdue\n\n\ndef show(one):\n    return one\n",
    "README.md": "# shop\n\nSells things.\n",
}
EXAMPLE = re.compile(r'^- `(?P<kind>\w+)`, .*? Bad: "(?P<bad>.*)" Good: "(?P<good>.*)"$', re.MULTILINE)
LEVEL = re.compile(r'^\d\. .*: .* "(?P<hint>.*)"$', re.MULTILINE)


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    root = tmp_path_factory.mktemp("shop")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    task = Task(
        brief=Brief(id="t", repo=str(root), commit="worktree", prompt="Tell every late payer what they owe and why."),
        answer=Answer(targets=(Target(path=TARGET),)),
    )
    return prepare_guard(task, DirectorySnapshot(root))


def finding_kinds(hint: str, secret: Guard) -> set[str]:
    return {finding.kind for finding in check_hint(hint.replace('\\"', '"'), secret, ShownText())}


def test_every_kind_of_finding_has_its_line() -> None:
    text = load_prompt("supervisor").text
    assert [kind for kind in get_args(FindingKind) if f"\n- `{kind}`, " not in text] == []
    assert {m["kind"] for m in EXAMPLE.finditer(text)} == {*get_args(FindingKind)} - {"repeated"}


@pytest.mark.parametrize("example", [*EXAMPLE.finditer(load_prompt("supervisor").text)], ids=lambda m: m["kind"])
def test_an_example_is_refused_for_its_kind_and_its_counterpart_passes(example: re.Match[str], secret: Guard) -> None:
    if example["kind"] != "judge":
        assert example["kind"] in finding_kinds(example["bad"], secret)
    assert finding_kinds(example["good"], secret) == set()


def test_the_examples_of_the_levels_pass(secret: Guard) -> None:
    hints = [m["hint"] for m in LEVEL.finditer(load_prompt("supervisor").text)]
    assert len(hints) == 4
    assert [finding_kinds(hint, secret) for hint in hints] == [set()] * 4
