"""The `pcn` command."""

from __future__ import annotations

import typer

from deploy import migrating

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command("migration")(migrating.new_migration)


@app.callback()
def _root() -> None:
    """The back office of Primary Care Networks."""


if __name__ == "__main__":
    app()
