import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # how fast a machine is says nothing of what is true
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio: the one backend that the model clients support."""
    return "asyncio"
