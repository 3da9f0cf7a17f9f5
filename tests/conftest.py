import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio: the one backend that the model clients support."""
    return "asyncio"
