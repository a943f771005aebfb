"""What a user went through between two things that were seen of it, by the second scorer.

Seen are the score records, and what a subscriber was sent when the user shared the score: each shows
as_of and the horizon, and so how far the partition's clock had come at least, or exactly where the
horizon is behind as_of. In between, time passes unseen: a step that changes no score publishes nothing
and moves as_of and horizon all the same (docs/model.md, 7.12). So a clock is looked for, at each of the
user's events, that never goes back, is not behind what the partition had shown before, nor ahead of
what it showed later, and under which nothing but the record was to be published, and the record as it
is. Mostly the least one does.
"""

import copy
import sys
from collections import deque
from typing import Any, NamedTuple

from bus import INPUTS
from stack import TREE

sys.path.insert(0, str(TREE / "tests/golden"))
import second_scorer  # noqa: E402  pylint: disable=wrong-import-position

SEARCH_STEPS_MAX = 3000
SEARCH_DEPTH_MAX = 600
JUMPS_MAX = 40  # clocks that are tried at one event
ORDER = ("consents", *(name for name in INPUTS if name != "consents"))


class Sight(NamedTuple):
    """As_of and horizon as published."""
    as_of: int
    horizon: int

    def clock(self, low):
        """The least clock, not below `low`, that can have led to it."""
        return self.horizon if self.horizon < self.as_of else max(low, self.horizon)


class Group(NamedTuple):
    """What one interval holds of a user."""
    low: int  # how far the clock had come before it
    high: int  # ... and had not yet after it
    queues: dict  # input -> events


class Step(NamedTuple):
    """What came of one event, or, where event is None, of time."""
    event: Any
    outcome: str
    why: str
    record: dict
    entitlements: list
    tells: list  # (hash of a subscriber, record or None)


SHARED = {int, str, bool, type(None), float, tuple, frozenset}


def clone(value):
    """A copy that shares what never changes; much cheaper than copy.deepcopy."""
    kind = type(value)
    if kind in SHARED:
        return value
    if kind is dict:
        return {key: clone(each) for key, each in value.items()}
    if kind is set or kind is deque:
        return kind(value)
    if kind.__module__ != second_scorer.__name__:
        return copy.deepcopy(value)
    twin = kind.__new__(kind)
    twin.__dict__ = {name: each if name == "kinds" else clone(each)
                     for name, each in value.__dict__.items()}
    return twin


def twin(user, topics):
    """A copy of a user that may be put back, where only events of these topics are to come."""
    if user is None:
        return None
    other = copy.copy(user)
    other.published = copy.copy(user.published)
    other.window = {name: copy.copy(each) if name in topics else each
                    for name, each in user.window.items()}  # whose ids are replaced, not changed
    for name in topics:
        setattr(other, name, clone(getattr(user, name)))
    return other


def same(record, published):
    return record is not None and all(published[key] == value for key, value in record.items())


class Settler:
    """Of one partition. `sights`: offset of a SHARE grant in consents -> what its subscriber saw."""

    def __init__(self, scorer, partition, subscribers, sights):
        self.scorer, self.partition = scorer, partition
        self.subscribers, self.sights = subscribers, sights  # hashes of names
        self.searched = 0
        self._budget, self._topics = 0, set()

    # -- one event, one step

    def _user(self, user_id):
        return self.scorer.users.get(user_id)

    def _wake(self, event, user):
        record, entitlements = self.scorer.wake(event, user, self.scorer.clock[self.partition])
        tells = [(each, record) for each in self._shares(user)] if record else []
        return Step(None, None, None, record, entitlements, tells)

    def _shares(self, user):
        if not user or not user.consents.subscribers:
            return ()
        return [each for each in user.consents.subscribers if each in self.subscribers]

    def _apply(self, event):
        consent = event.topic == "consents"
        before = self._shares(self._user(event.user_id)) if consent else ()
        outcome, why, record, entitlements = self.scorer.outcome(event)
        tells = []
        if outcome == "counted":
            user = self._user(event.user_id)
            name = None
            if consent and event.purpose == "SHARE":
                name = second_scorer.h32(event.subscriber)
            if record and record["kind"] == "OPT_OUT":
                tells = [(each, None) for each in before]
            elif record:
                tells = [(each, record) for each in self._shares(user)
                         if each != name or event.action != "GRANTED"]
            if name in self.subscribers and user.consents.holds:
                if event.action == "GRANTED":
                    tells.append((name, self._shared(event, user, record is not None)))
                elif name in before:
                    tells.append((name, None))
        return Step(event, outcome, why, record, entitlements, tells)

    def _shared(self, event, user, exact):
        """docs/subscribing.md: the score as it stands then. Positions are known with a score record
        only."""
        model = self.scorer.model_of(user)
        scored = second_scorer.compute_score(user, model)
        record = self.scorer.record(event, event, user.published, "SHARED", None, scored.factors,
                                    scored.reasons, user.consents.position, model)
        return record if exact else {**record, "positions": None}

    def _due(self, user, clock):
        return user is not None and user.consents.holds and self.scorer.wake_at(user)[0] <= clock

    def _silent(self, event, clock):
        """Steps up to the clock, then the event; its Step, or None if anything was published."""
        self.scorer.clock[self.partition] = clock
        user = self._user(event.user_id)
        while self._due(user, clock):
            if self._wake(event, user).record:
                return None
        step = self._apply(event)
        if step.record:
            return None
        sight = self._sight(event)
        if sight and step.outcome == "counted":
            now = self._user(event.user_id).published
            if (now.as_of, now.horizon) != sight:
                return None
        return step

    def _sight(self, event):
        return self.sights.get(event.offset) if event.topic == "consents" else None

    # -- the end of the way

    def _arrive(self, last, cause, published, clock):
        """The steps from the last silent event on: to the record or, where there is none, to
        `clock`. None if that is not what was published."""
        user_id = last.user_id
        if published is None:
            self.scorer.clock[self.partition] = clock
            user = self._user(user_id)
            while self._due(user, clock):
                if self._wake(last, user).record:
                    return None
            return []
        clock = Sight(published["as_of"], published["clock"]).clock(clock)
        self.scorer.clock[self.partition] = clock
        user = self._user(user_id)
        while self._due(user, clock):
            step = self._wake(last, user)
            if step.record:
                return [step] if cause is None and same(step.record, published) else None
        if cause is None:
            return None
        step = self._apply(cause)
        return [step] if same(step.record, published) else None

    # -- the whole of it

    def settle(self, user_id, groups, cause, published, low):
        """The Steps, in order; and what the record should have been, where there was no way at
        all (then the steps are those of the plain order). `low`: how far the clock had come before
        the record, or must have where there is none."""
        last = cause or (groups and next(iter(groups[-1].queues.values()))[0])
        last = last or second_scorer.Event({
            "topic": "consents", "partition": self.partition, "offset": -1,
            "value": {"user_id": user_id}})
        topics = {name for group in groups for name in group.queues}
        if cause:
            topics.add(cause.topic)
        before = twin(self._user(user_id), topics)
        steps = self._plain(groups, last, cause, published, low)
        if steps is not None:
            return steps, None
        if groups:
            self.searched += 1
            self._budget = SEARCH_STEPS_MAX
            if sum(len(q) for g in groups for q in g.queues.values()) <= SEARCH_DEPTH_MAX:
                self._put_back(user_id, twin(before, topics))
                self._topics = topics
                left = [{name: deque(queue) for name, queue in g.queues.items()} for g in groups]
                steps = self._search(groups, left, 0, 0, last, cause, published, low)
                if steps is not None:
                    return steps, None
        self._put_back(user_id, before)
        return self._forced(groups, last, cause, published, low)

    def _put_back(self, user_id, user):
        if user is None:
            self.scorer.users.pop(user_id, None)
        else:
            self.scorer.users[user_id] = user

    def _least(self, event, group, clock):
        clock = max(group.low, clock)
        sight = self._sight(event)
        return max(clock, sight.clock(clock)) if sight else clock

    def _plain(self, groups, last, cause, published, low):
        steps, clock = [], 0
        for group in groups:
            for name in ORDER:
                for event in group.queues.get(name, ()):
                    clock = self._least(event, group, clock)
                    step = self._silent(event, clock)
                    if step is None:
                        return None
                    steps.append(step)
        end = self._arrive(last, cause, published, max(low, clock))
        return None if end is None else steps + end

    def _clocks(self, event, group, clock, published):
        """Those to be tried at an event, the likely ones first."""
        least = self._least(event, group, clock)
        yield least
        user = self._user(event.user_id)
        if user is None or not user.consents.holds or self._sight(event):
            return
        most, goal = group.high, None
        if published:
            goal = published["as_of"]
            most = min(most, published["clock"] if published["clock"] < goal else most)
            if least < goal <= most:
                yield goal
        instants = set()
        at, _ = self.scorer.wake_at(user)
        while at <= most and len(instants) < JUMPS_MAX:
            instants.add(at)
            at += self.scorer.interval(user)
        for due in user.bills.open.values():
            if due <= most:  # another day overdue
                day = second_scorer.DAY_MS
                first = max(due, least + day - (least - due) % day)
                instants.update(range(first, min(most, first + 3 * day) + 1, day))
        for at in sorted(instants)[:JUMPS_MAX]:
            if at > least and at != goal:
                yield at

    def _search(self, groups, left, at, clock, last, cause, published, low):
        """As _plain, over all orders of the topics within an interval, and clocks."""
        while at < len(groups) and not any(left[at].values()):
            at += 1
        if at == len(groups):
            return self._arrive(last, cause, published, max(low, clock))
        user_id, queues = last.user_id, left[at]
        saved = twin(self._user(user_id), self._topics)
        if published and saved and saved.consents.holds and (
                saved.published.as_of > published["as_of"]):
            return None
        for name in ORDER:
            if not queues.get(name):
                continue
            event = queues[name].popleft()
            for now in list(self._clocks(event, groups[at], clock, published)):
                self._budget -= 1
                if self._budget < 0:
                    return None
                step = self._silent(event, now)
                rest = None
                if step is not None:
                    rest = self._search(groups, left, at, now, last, cause, published, low)
                if rest is not None:
                    return [step, *rest]
                self._put_back(user_id, twin(saved, self._topics))
            queues[name].appendleft(event)
        return None

    def _forced(self, groups, last, cause, published, low):
        """There is no way. The plain order, whatever is published; afterwards the user stands as
        the record says, so that one difference does not lead to more."""
        steps, clock, wrong = [], 0, []
        user_id = last.user_id

        def wake(event, clock):
            self.scorer.clock[self.partition] = clock
            user = self._user(user_id)
            while self._due(user, clock):
                step = self._wake(event, user)
                if step.record:
                    wrong.append(step.record)

        for group in groups:
            for name in ORDER:
                for event in group.queues.get(name, ()):
                    clock = self._least(event, group, clock)
                    wake(event, clock)
                    step = self._apply(event)
                    if step.record:
                        wrong.append(step.record)
                    steps.append(step._replace(entitlements=[], tells=[]))
        clock = max(low, clock)
        if published:
            clock = Sight(published["as_of"], published["clock"]).clock(clock)
        wake(last, clock)
        if cause:
            step = self._apply(cause)
            if step.record:
                wrong.append(step.record)
            steps.append(step)
        user = self._user(user_id)
        if published and user and user.consents.holds:
            now = user.published
            now.standing, now.score, now.tier = (
                published[key] for key in ("standing", "score", "tier"))
            now.sequence = published["sequence"]
            now.as_of, now.horizon = published["as_of"], published["clock"]
        return steps, wrong
