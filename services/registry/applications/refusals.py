"""What an application may be refused with."""

from __future__ import annotations

from shared.errors import Forbidden, NotFound, Refused


class ApplicationNotFound(NotFound):
    """No such application, or none the caller may see."""


class NotYoursToChange(Forbidden):
    """An application is changed by the network, its practices or the commissioner of the area."""


class ApplicationNotOpen(Refused):
    """An application is changed and submitted as a draft or after it was returned."""


class ApplicationNotSubmitted(Refused):
    """Only a submitted application is returned, refused or approved."""


class NetworkTooSmall(Refused):
    """A network serves at least 30,000 patients unless its area is rural and sparsely populated."""


class PracticeAppliesElsewhere(Refused):
    """A practice is in one application of a round, unless its list is declared to be split."""


class PracticeInAnotherNetwork(Refused):
    """A current member of another network applies only when it declares that it leaves it."""


class PracticeListAllocated(Refused):
    """The list of a practice is allocated already; withdraw the allocation before the practice joins."""


class NetworkAppliedAlready(Refused):
    """A network is in one application of a round."""


class NetworkLedElsewhere(Refused):
    """A network applies in the round of the commissioner that leads it."""


class ApplicationOvertaken(Refused):
    """What an application rests on has changed since it came in; it is returned or refused, not approved."""


class AgreementIsNoGround(Refused):
    """A commissioner does not refuse a network for the content of its members' agreement."""


class NetworkNotWhollyDivided(Refused):
    """Networks are formed anew only when each of their practices goes to a network of the same decision."""
