"""Every Python example in the documentation runs, in the order in which it is read."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine

FENCE = re.compile(r"^ *```+ *([\w-]*)", re.MULTILINE)
LANGUAGES = {"", "python", "bash", "sh", "text", "toml", "ini", "mermaid", "jinja"}
LIBRARIES = ("roomtone_tenancy", "roomtone_billing", "roomtone_ai_credits")


def test_the_examples_of_a_document_run(document, namespace, sybil):
    parsed = sybil.parse(document)
    parsed.namespace.update(namespace)

    engines: dict[int, Engine] = {}
    try:
        for example in parsed.examples():
            example.evaluate()
            engines |= {id(value): value for value in parsed.namespace.values() if isinstance(value, Engine)}
    finally:
        for engine in engines.values():
            engine.dispose()  # an example need not end as a program does


def test_fences_are_of_languages_that_are_checked(document):
    # A `pycon` or `py` fence would look the same on the page and never run.
    assert set(FENCE.findall(document.read_text())) <= LANGUAGES


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_readme_shows_each_library_in_a_dozen_lines(library, root_readme):
    examples = [fence for fence in re.findall(r"```python\n(.*?)```", root_readme, re.DOTALL) if f"from {library}" in fence]

    assert examples
    assert all(len([line for line in example.splitlines() if line]) <= 14 for example in examples)


@pytest.fixture
def root_readme(request) -> str:
    return (request.config.rootpath / "README.md").read_text()
