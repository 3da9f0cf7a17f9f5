import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # how long a law takes says nothing about the law
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio: the one backend that the model clients support."""
    return "asyncio"
