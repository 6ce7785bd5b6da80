"""Contracts: what is committed is what the code says, and every sample ever published still parses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.contracts import check_contracts, write_contracts
from shared.events import CATALOGUE, Envelope, Event, parse
from tests.conftest import ROOT

FOLDER = ROOT / "shared" / "events" / "samples"
SAMPLES = sorted(FOLDER.glob("*.json"))


def kept_samples(folder: Path = FOLDER) -> list[Path]:
    """Samples of events as they once were, `kept/<type>.<n>.json`: logs hold such events for ever.

    When an event's shape grows, its sample moves here under the next number before the new one is written.
    """
    return sorted((folder / "kept").glob("*.json"))


def parsed_as_kept(path: Path) -> Event:
    """The event of a kept sample as today's code reads it; it need not say itself again in the same words."""
    envelope = Envelope.model_validate_json(path.read_text())
    kind, _, number = path.stem.rpartition(".")
    assert (envelope.type, number.isdigit()) == (kind, True), f"{path.name} is not named <type>.<n>.json"
    event = parse(envelope)
    assert envelope.subject == event.subject()
    return event


def test_the_committed_documents_are_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_contracts() == 0, capsys.readouterr().err


def test_a_document_that_differs_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _keep_with_a_path_that_is_gone(tmp_path)
    assert check_contracts(tmp_path) == 1
    said = capsys.readouterr().err
    assert "GET /registry/v1/gone is gone" in said
    assert "run `.venv/bin/pcn contracts`" in said


def test_what_would_break_callers_is_written_only_when_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = _keep_with_a_path_that_is_gone(tmp_path)
    before = kept.read_text()
    assert write_contracts(tmp_path) == 1
    assert "registry.openapi.json would break callers: GET /registry/v1/gone is gone" in capsys.readouterr().err
    assert kept.read_text() == before
    assert write_contracts(tmp_path, breaking=True) == 0
    assert check_contracts(tmp_path) == 0


def test_a_new_major_version_may_break(tmp_path: Path) -> None:
    kept = _keep_with_a_path_that_is_gone(tmp_path)
    document = json.loads(kept.read_text())
    document["info"]["version"] = "0.9.0"
    kept.write_text(json.dumps(document))
    assert write_contracts(tmp_path) == 0


def _keep_with_a_path_that_is_gone(folder: Path) -> Path:
    assert write_contracts(folder) == 0
    kept = folder / "registry.openapi.json"
    document = json.loads(kept.read_text())
    document["paths"]["/registry/v1/gone"] = {"get": {}}
    kept.write_text(json.dumps(document))
    return kept


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


def test_every_sample_ever_published_still_parses() -> None:
    for path in kept_samples():
        parsed_as_kept(path)


def test_a_kept_sample_is_read_with_the_defaults_of_fields_added_since_and_a_lost_one_is_seen(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    sample = json.loads((FOLDER / "pcn.funding.tariff-published.v1.json").read_text())
    kind, now = sample["type"], CATALOGUE[sample["type"]].model_validate(sample["data"])
    grown = next(name for name, field in type(now).model_fields.items() if not field.is_required())
    asked = next(name for name, field in type(now).model_fields.items() if field.is_required())
    older = {**sample, "data": {name: value for name, value in sample["data"].items() if name != grown}}
    (tmp_path / "kept" / f"{kind}.1.json").write_text(json.dumps(older))
    (first,) = kept_samples(tmp_path)
    assert getattr(parsed_as_kept(first), grown) == type(now).model_fields[grown].get_default(call_default_factory=True)
    broken = {**sample, "data": {name: value for name, value in sample["data"].items() if name != asked}}
    (tmp_path / "kept" / f"{kind}.2.json").write_text(json.dumps(broken))
    with pytest.raises(ValidationError):
        parsed_as_kept(kept_samples(tmp_path)[1])
    (tmp_path / "kept" / f"{kind}.json").write_text(json.dumps(sample))
    with pytest.raises(AssertionError, match=r"<type>\.<n>\.json"):
        parsed_as_kept(tmp_path / "kept" / f"{kind}.json")
