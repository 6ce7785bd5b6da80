"""Contracts: what is committed is what the code says, and every sample ever published still parses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.contracts import check_contracts
from shared.events import CATALOGUE, Envelope, parse
from tests.conftest import ROOT

SAMPLES = sorted((ROOT / "shared" / "events" / "samples").glob("*.json"))


def test_the_committed_documents_are_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_contracts() == 0, capsys.readouterr().err


def test_a_document_that_differs_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (ROOT / "docs" / "api").glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    kept = tmp_path / "registry.openapi.json"
    document = json.loads(kept.read_text())
    document["paths"]["/registry/v1/gone"] = {"get": {}}
    kept.write_text(json.dumps(document))
    assert check_contracts(tmp_path) == 1
    assert "GET /registry/v1/gone is gone" in capsys.readouterr().err


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_parses_and_says_itself_again(path: Path) -> None:
    envelope = Envelope.model_validate_json(path.read_text())
    event = parse(envelope)
    assert envelope.type == path.stem
    assert envelope.subject == event.subject()
    assert envelope.source == f"pcn.{event.publisher}"
    assert event.model_dump(mode="json") == envelope.data


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_reader_is_not_troubled_by_fields_of_a_later_version(path: Path) -> None:
    sample = json.loads(path.read_text())
    sample["laterextension"] = "x"
    sample["data"]["added_later"] = {"any": ["thing"]}
    assert parse(Envelope.model_validate(sample)) == CATALOGUE[path.stem].model_validate(sample["data"])
