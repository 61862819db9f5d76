"""Every dialplan variable of ours is explained in dialplan/README.md, and so is every route's option."""

import re
from pathlib import Path

DIALPLAN = Path("dialplan/zvonok.conf").read_text(encoding="utf-8")
README = Path("dialplan/README.md").read_text(encoding="utf-8")
SERVER = Path("fastagi/announce.py").read_text(encoding="utf-8")


def test_every_variable_that_the_dialplan_or_the_server_sets_is_in_its_readme() -> None:
    variables = set(re.findall(r"\bZVONOK_[A-Z]+(?:_[A-Z]+)*\b", DIALPLAN + SERVER))
    assert {"ZVONOK_STATUS", "ZVONOK_AGI", "ZVONOK_CALLER_NAME"} <= variables
    assert {variable for variable in variables if variable not in README} == set()
