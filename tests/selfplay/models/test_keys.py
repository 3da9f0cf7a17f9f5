import pytest

from selfplay.models.keys import hide_keys


@pytest.mark.parametrize(
    "key",
    [
        "sk-secret-12345",
        "sk-12345678",
        "sk-abcdefg1",
        "sk-abcdefghijklmnop",
        "sk-proj-Ab_9-xyz",
        "Bearer abcdefgh",
    ],
)
def test_what_looks_like_a_key_is_cut_out_wherever_it_stands(key: str) -> None:
    assert hide_keys(f"bad key {key}, '{key}' ({key})") == "bad key [key], '[key]' ([key])"


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn 1.5.2 wants numpy",
        "sk-learn-2",
        "sk-something",
        "task-12345678",
        "risk-assessment-2024-11-21",
        "sk-SK.UTF-8",
        "sk-1234567",
        "a bearer of 12345678",
    ],
)
def test_words_that_are_no_keys_stay(text: str) -> None:
    assert hide_keys(text) == text
