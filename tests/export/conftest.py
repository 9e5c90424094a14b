from pathlib import Path

import pytest

from tests.export.programs import tiny_network, write_programs


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the programs of a tiny network: read it, do not change it."""
    return write_programs(tmp_path_factory.mktemp("programs"), tiny_network(bias=0.05))
