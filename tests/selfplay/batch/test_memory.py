import platform

from selfplay.batch.memory import give_memory_back


def test_glibc_takes_the_settings_and_other_libraries_are_left_alone() -> None:
    assert give_memory_back() == (platform.libc_ver()[0] == "glibc")
