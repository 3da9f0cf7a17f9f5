import platform

from selfplay.batch.process import limit_malloc_caches


def test_glibc_takes_the_settings_and_other_libraries_are_left_alone() -> None:
    assert limit_malloc_caches() == (platform.libc_ver()[0] == "glibc")
