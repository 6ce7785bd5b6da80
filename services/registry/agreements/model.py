from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.dialects.postgresql import JSONB, Range
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Fault, Invalid, NotFound, Refused
from shared.events.registry import AgreementEnded, AgreementSigned, FinanceTerms
from shared.facts import ONE_DAY, Dated, days, held_in_turn, no_overlap


class AgreementNotFound(NotFound):
    """No such agreement or version of it, or none the caller may see."""


class AgreementNotDraft(Refused):
    """Only a draft is changed or sent for signature; what was sent never changes."""


class AgreementNotSent(Refused):
    """Only a version that was sent for signature is signed."""


class AgreementGivenUp(Refused):
    """An abandoned version is neither signed nor brought into force."""


class AgreementInUse(Refused):
    """A version that came into force is ended, not abandoned."""


class AgreementNotInForce(Refused):
    """Only a version in force is ended."""


class SignaturesMissing(Refused):
    """A version is in force only when every party has signed it."""


class AgreementStatus(StrEnum):
    DRAFT = "draft"
    SENT = "sent"
    SIGNED = "signed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Party:
    """One who signs: a practice, a named partner of a practice, or a partner organisation of the network."""

    practice: str | None = None
    person: str | None = None
    partner: str | None = None

    @property
    def key(self) -> str:
        return "/".join(part for part in (self.practice, self.person, self.partner) if part)


@dataclass(frozen=True, slots=True)
class Parties:
    """Who was a party on which days, and the day from which each has signed."""

    members: Sequence[tuple[str, Range[date]]]
    partners: Sequence[tuple[str, Range[date]]]
    persons: Mapping[str, Sequence[str]] = field(default_factory=dict)
    signed: Mapping[Party, date] = field(default_factory=dict)

    def on(self, day: date) -> list[Party]:
        """Everybody whose signature counts on a day."""
        found: list[Party] = []
        for practice in sorted({code for code, held in self.members if held.contains(day)}):
            persons = self.persons.get(practice)
            found += [Party(practice, person) for person in persons] if persons else [Party(practice)]
        return found + [Party(partner=id) for id in sorted({id for id, held in self.partners if held.contains(day)})]

    def missing(self, day: date) -> list[Party]:
        """Who has not signed by a day and must have."""
        return [party for party in self.on(day) if party not in self.signed or self.signed[party] > day]

    def complete_from(self, start: date) -> date | None:
        """The first day, not before `start`, on which there are members and every party of that day has signed."""
        turns = {start, *self.signed.values()}
        for _, held in (*self.members, *self.partners):
            turns |= {day for day in (held.lower, held.upper) if day is not None}
        for day in sorted(turns):
            if day >= start and any(party.practice for party in self.on(day)) and not self.missing(day):
                return day
        return None


class AgreementVersion(Versioned, Base):
    """One version of a network's agreement; once sent for signature its words never change."""

    __tablename__ = "agreement_versions"

    network: Mapped[Code] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[AgreementStatus] = mapped_column(text_enum(AgreementStatus), default=AgreementStatus.DRAFT)
    in_force_from: Mapped[date]
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    fingerprint: Mapped[str | None]
    drafted_by: Mapped[Words]
    drafted_at: Mapped[Timestamp]
    sent_on: Mapped[date | None]
    sent_by: Mapped[Words | None]
    in_force_since: Mapped[date | None]
    ended_on: Mapped[date | None]
    abandoned_on: Mapped[date | None]
    reason: Mapped[Words | None]
    changed_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.network]

    def require_draft(self) -> None:
        if self.status is not AgreementStatus.DRAFT:
            raise AgreementNotDraft(f"Version {self.number} of {self.network} is {self.status}.")

    def send(self, faults: Sequence[Fault], *, on: date, by: str) -> None:
        """Send it to the parties for signature. Raises `AgreementNotDraft`, and `Invalid` with all that is missing."""
        self.require_draft()
        if faults:
            raise Invalid(f"The agreement lacks {len(faults)} things.", errors=faults)
        text = json.dumps(self.terms, sort_keys=True, ensure_ascii=False)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self.status, self.sent_on, self.sent_by = AgreementStatus.SENT, on, by

    def require_open_to_sign(self) -> None:
        if self.status is AgreementStatus.ABANDONED:
            raise AgreementGivenUp(f"Version {self.number} was abandoned on {self.abandoned_on}: {self.reason}")
        if self.status is AgreementStatus.DRAFT:
            raise AgreementNotSent(f"Version {self.number} has not been sent for signature.")

    def complete_day(self, parties: Parties) -> date | None:
        """The day on which it comes into force, if every party signs before it ends."""
        first = parties.complete_from(self.in_force_from)
        return None if first is not None and self.ended_on is not None and self.ended_on < first else first

    def require_complete(self, parties: Parties) -> date:
        """The day on which it comes into force. Raises `SignaturesMissing` with every party that has not signed."""
        self.require_open_to_sign()
        first = self.complete_day(parties)
        if first is None:
            missing = parties.missing(self.in_force_from)
            faults = [Fault(party.key, "not_signed", f"{party.key} has not signed.") for party in missing]
            said = (
                f"{len(faults)} parties of version {self.number} have not signed." if faults else "Nobody is a member."
            )
            raise SignaturesMissing(said, errors=faults)
        return first

    def come_into_force(
        self, first: date, *, commissioner: str, finance: FinanceTerms | None, human_resources: bool
    ) -> AgreementSigned:
        """Every party has signed: it is the network's agreement from a day on."""
        self.status, self.in_force_since = AgreementStatus.SIGNED, first
        return AgreementSigned(
            network=self.network,
            commissioner=commissioner,
            agreement_version=self.number,
            in_force_from=first,
            finance=finance,
            human_resources=human_resources,
        )

    def end(self, last_day: date, reason: str, *, commissioner: str) -> AgreementEnded:
        """It is in force to `last_day` and not longer. Raises `AgreementNotInForce`."""
        if self.in_force_since is None or last_day < self.in_force_since:
            raise AgreementNotInForce(f"Version {self.number} is not in force on {last_day}.")
        self.ended_on, self.reason = last_day, reason
        return self._ended(last_day, reason, commissioner)

    def still_ended(self, *, commissioner: str) -> AgreementEnded | None:
        """Its end told again after it came into force from another day, for readers to whom the newer word counts."""
        return None if self.ended_on is None else self._ended(self.ended_on, self.reason or "", commissioner)

    def fall_back(self, reason: str, *, commissioner: str) -> AgreementEnded:
        """A signature it needed was never given, so it never came into force and waits for its parties again."""
        if self.in_force_since is None:
            raise AgreementNotInForce(f"Version {self.number} is not in force.")
        last_day = self.in_force_since - ONE_DAY
        self.status, self.in_force_since, self.ended_on, self.reason = AgreementStatus.SENT, None, None, reason
        return self._ended(last_day, reason, commissioner)

    def _ended(self, last_day: date, reason: str, commissioner: str) -> AgreementEnded:
        return AgreementEnded(
            network=self.network,
            commissioner=commissioner,
            agreement_version=self.number,
            last_day=last_day,
            reason=reason,
        )

    def stage(self, day: date, in_force: int | None) -> str:
        """What it is on a day, where `in_force` is the number of the network's agreement then."""
        if self.status is not AgreementStatus.SIGNED or self.in_force_since is None or day < self.in_force_since:
            return self.status.value
        if self.number == in_force:
            return "in_force"
        return "ended" if self.ended_on is not None and self.ended_on < day else "superseded"

    def abandon(self, reason: str, *, on: date) -> None:
        """Give it up before it comes into force. Raises `AgreementInUse`, `AgreementGivenUp`."""
        if self.status is AgreementStatus.SIGNED:
            raise AgreementInUse(f"Version {self.number} came into force.")
        if self.status is AgreementStatus.ABANDONED:
            raise AgreementGivenUp(f"Version {self.number} was abandoned on {self.abandoned_on}.")
        self.status, self.abandoned_on, self.reason = AgreementStatus.ABANDONED, on, reason


def in_force_on_days(versions: Iterable[AgreementVersion]) -> list[tuple[int, Range[date]]]:
    """Which version is the agreement on which days: each takes the place of those before it, for good."""
    return held_in_turn(
        {v.number: days(v.in_force_since, v.ended_on) for v in versions if v.in_force_since is not None}
    )


class AgreementInForce(Dated, Base):
    """The version that is a network's agreement on some days: the next one takes its place from its own day."""

    __tablename__ = "agreements_in_force"
    __table_args__ = (
        no_overlap("agreements_in_force", "network"),
        ForeignKeyConstraint(["network", "number"], ["agreement_versions.network", "agreement_versions.number"]),
    )

    network: Mapped[Code] = mapped_column(index=True)
    number: Mapped[int]

    def concerns(self) -> Iterable[str]:
        return [self.network]


class NamedPartner(Base):
    """A person who is partner in a member practice and signs a version for themselves."""

    __tablename__ = "agreement_named_partners"
    __table_args__ = (
        ForeignKeyConstraint(
            ["network", "number"], ["agreement_versions.network", "agreement_versions.number"], ondelete="CASCADE"
        ),
    )

    network: Mapped[Code] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)

    def concerns(self) -> Iterable[str]:
        return [self.network, self.practice]
