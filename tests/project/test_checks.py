"""The hooks of pre-commit, the commands of CONTRIBUTING.md and .ci/run check the same."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_hooks_are_the_checks_of_ci() -> None:
    config, ci, text = ((ROOT / name).read_text() for name in (".pre-commit-config.yaml", ".ci/run", "CONTRIBUTING.md"))
    entries = re.findall(r"entry: (.+)", config)
    assert len(entries) == 4
    assert [entry for entry in entries if entry not in ci or entry not in text] == []
