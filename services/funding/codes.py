"""The shape of organisations' codes in what callers send."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

OrganisationCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{3,12}$")]
"""A code of the register: plain capitals and digits, so that a look-alike from another alphabet is malformed."""
NetworkCode = Annotated[str, StringConstraints(pattern=r"^U[0-9]{5}$")]
"""A network's code as the register gives it."""
