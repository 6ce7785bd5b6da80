"""What the practice scheme refuses."""

from __future__ import annotations

from shared.errors import Conflict, Refused


class PracticeClaimExists(Conflict):
    """The practice claims that person's month for the same kind of work already."""


class PracticeClaimNotEditable(Refused):
    """A claim is changed while it is a draft or has been sent back."""


class PracticeClaimNotOpen(Refused):
    """The claim is not at the step this decision belongs to."""


class TooLateToClaim(Refused):
    """A month is claimed within three months after its end."""


class TooEarlyToClaim(Refused):
    """A month is claimed at most three months before it begins, and never for a month after the scheme's year."""


class AdvanceNotConfirmed(Refused):
    """A month that has not ended is approved only when the commissioner has confirmed claims ahead."""


class PracticeClaimNotPayable(Refused):
    """A check stands in the way of approving the claim; `errors` lists every one."""


class TooLateToWithdraw(Refused):
    """An advance claim is withdrawn at least five days before the end of the last month claimed, and before it is in
    a payment file."""
