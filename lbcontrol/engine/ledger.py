"""Ledger: the last decision of each service, its mark, and what it was made of.

Marks only grow. A changed decision has the next revision, an equal one is not made at all. A service that was removed
and comes back goes on above every revision that any removed service had: one number kept instead of one a name.
Values are replaced as a whole, never changed in place, so that they can be read while the next decision is made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from lbcontrol.engine.case import Case, Picture
from lbcontrol.engine.decide import Memo, Outcome, decide
from lbcontrol.engine.difference import Difference, Known, difference
from lbcontrol.model.assignment import Decision, Mark, Urgency
from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.findings import Finding

FROZEN = "LB415"
"""Code of the finding on a service whose data cannot be worked with."""
NEW = Difference(Urgency.ADDITION, "endpoints")
RESTORED = Difference(Urgency.IMMEDIATE, "restored")


@dataclass(frozen=True, slots=True)
class Decided:
    """A service that has a decision."""

    case: Case
    memo: Memo


class Ledger:
    """All services that have a decision, or cannot have one."""

    def __init__(self, epoch: int) -> None:
        """Begin empty; decisions carry ``epoch``, unless one restored has a higher one."""
        self._epoch = epoch
        self._decided: dict[str, Decided] = {}
        self._frozen: dict[str, Finding] = {}
        self._restored: dict[str, Mark] = {}
        self._floor = Mark()

    def case(self, service: str) -> Case | None:
        """Return what a service's last decision was made of."""
        decided = self._decided.get(service)
        return None if decided is None else decided.case

    def services(self) -> tuple[str, ...]:
        """Return the names of services that have a decision, sorted."""
        return tuple(sorted(self._decided))

    def frozen(self) -> Mapping[str, Finding]:
        """Return the services whose data cannot be worked with, and why."""
        return dict(self._frozen)

    def begin_above(self, mark: Mark, service: str = "") -> None:
        """Give no decision of ``service`` a mark that is not above this one; without a name: of any new service."""
        if service:
            self._restored[service] = mark
        else:
            self._floor = Mark(max(self._floor.epoch, mark.epoch), max(self._floor.revision, mark.revision))

    def decide(self, picture: Picture, *, event: str, restored: bool, now: float) -> Decision | None:
        """Decide a service; return the decision when it says something new.

        A service whose data cannot be worked with keeps what it has and gets a finding.

        Args:
            picture: What the decision reads.
            event: Id of the event that led here.
            restored: Publish in any case.
            now: Monotonic seconds.
        """
        decided = self._decided.get(picture.service)
        memo = Memo() if decided is None else decided.memo
        try:
            outcome = decide(picture, memo, now=now)
        except LbControlError as error:
            return self._freeze(picture.service, error.finding.what)
        except ValueError as error:
            return self._freeze(picture.service, str(error))
        self._frozen.pop(picture.service, None)
        return self._keep(picture, outcome, event=event, restored=restored)

    def remove(self, service: str) -> Decision | None:
        """Forget a service; return the decision that says so when it had one."""
        self._frozen.pop(service, None)
        decided = self._decided.pop(service, None)
        if decided is None:
            return None
        mark = self._next(service, decided.case.decision.mark)
        self.begin_above(mark)
        return Decision(service, mark, assignments={}, removed=True, urgency=Urgency.IMMEDIATE, cause="removed")

    def _next(self, service: str, last: Mark) -> Mark:
        last = max(last, self._restored.pop(service, last))
        return Mark(max(self._epoch, last.epoch), last.revision + 1)

    def _keep(self, picture: Picture, outcome: Outcome, *, event: str, restored: bool) -> Decision | None:
        service = picture.service
        decided = self._decided.get(service) or _nothing(picture, outcome, self._floor)
        before = decided.case.decision
        if restored:
            new: Difference | None = RESTORED
        elif service not in self._decided:
            new = NEW
        else:
            known = Known(decided.memo.merge_state.known, outcome.memo.merge_state.known)
            new = difference(before, outcome.content, known=known)
        decision = None
        if new is not None:
            mark = self._next(service, before.mark)
            decision = dataclasses.replace(outcome.content, mark=mark, urgency=new.urgency, cause=new.cause)
        events = _events(decided.case, picture, outcome=outcome, event=event)
        self._decided[service] = Decided(Case(picture, decision or before, events), outcome.memo)
        return decision

    def _freeze(self, service: str, problem: str) -> Decision | None:
        finding = Finding(
            FROZEN,
            f'"{service}" is frozen: {problem}',
            at=f'service "{service}"',
            effect="it stays as it was last decided; all other services go on",
            do="correct that value where it comes from",
        )
        self._frozen[service] = finding
        decided = self._decided.get(service)
        if decided is None or finding in decided.case.decision.findings:
            return None
        old = decided.case.decision
        findings = (*(each for each in old.findings if each.code != FROZEN), finding)
        mark = self._next(service, old.mark)
        new = dataclasses.replace(old, mark=mark, findings=findings, urgency=Urgency.WEIGHT, cause="endpoints")
        self._decided[service] = dataclasses.replace(decided, case=dataclasses.replace(decided.case, decision=new))
        return new


def _nothing(picture: Picture, outcome: Outcome, mark: Mark) -> Decided:
    return Decided(Case(picture, dataclasses.replace(outcome.content, mark=mark), {}), Memo())


def _events(before: Case, picture: Picture, *, outcome: Outcome, event: str) -> Mapping[Address, str]:
    """Return the ids after this event; the same mapping when it changed no endpoint."""
    said = {each.address for each in set(before.overrides) ^ set(picture.overrides)}
    changed = (*outcome.merged.changed, *(said & outcome.memo.merge_state.known.keys()))
    gone = outcome.merged.gone
    if not changed and not gone:
        return before.events
    events = {**before.events, **dict.fromkeys(changed, event)}
    for address in gone:
        del events[address]
    return events
