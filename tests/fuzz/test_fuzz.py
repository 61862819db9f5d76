"""Every target with a few hostile inputs, the same ones each time, and with all that were ever found."""

import pytest

from tests.fuzz.target import CORPUS, Target
from tests.fuzz.targets import TARGETS

BY_NAME = {target.name: target for target in TARGETS}
FILES = [f"{target.name}/{path.name}" for target in TARGETS for path in target.files()]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_hostile_inputs_do_no_harm(target: Target[object]) -> None:
    found = target.hunt(target.quick, seed_number=1)
    if found is not None:
        pytest.fail(f"{found.error!r} for {found.value!r}; keep it: make fuzz TARGET={target.name}", pytrace=False)


@pytest.mark.parametrize("file", FILES)
def test_what_was_found_once_stays_mended(file: str) -> None:
    name = file.split("/")[0]
    BY_NAME[name].replay(CORPUS / file)


def test_every_file_of_the_corpus_belongs_to_a_target() -> None:
    assert {path.name for path in CORPUS.glob("*")} <= BY_NAME.keys()
