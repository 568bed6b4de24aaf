"""Every probe of the table: contained by the sandbox, and not without it."""

import pytest

from probes import PROBES


@pytest.mark.parametrize("probe", PROBES, ids=str)
def test_probe(platform, probe):
    if not platform.confined and probe.root and not platform.is_root:
        pytest.skip("only root could do this without a sandbox")
    function = platform.deploy(memory_mb=probe.memory_mb)
    platform.judge_result(function.probe(probe.name), probe.absent)
