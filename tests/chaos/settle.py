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

SEARCH_STEPS_MAX = 5000
TURNS_MAX = 3  # how often the clock may be another than the least
SEARCH_DEPTH_MAX = 600
JUMPS_MAX = 130  # clocks that are tried at one event, of each kind
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


class Way(NamedTuple):
    """What a search is for."""
    groups: list
    left: list  # of each group: input -> a deque of the events that are still to come
    last: Any  # an event of the user
    cause: Any
    published: dict
    low: int

    def high(self):
        """The latest that the clock can have been before the record."""
        seen = self.published
        return Sight(seen["as_of"], seen["clock"]).clock(self.low) if seen else self.low


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
        part = "friends" if name == "social" else name
        setattr(other, part, clone(getattr(user, part)))
    return other


def same(record, published):
    return record is not None and all(published[key] == value for key, value in record.items())


class Settler:
    """Of one partition. `sights`: offset of a SHARE grant in consents -> what its subscriber saw."""

    def __init__(self, scorer, partition, subscribers, sights):
        self.scorer, self.partition = scorer, partition
        self.subscribers, self.sights = subscribers, sights  # hashes of names
        self.searched = 0
        self._settled = {}  # user -> how far the clock had come, at least, at the last record
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
                                    scored.reasons, user.consents.position, model,
                                    user.friends)
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
        """The Steps, in order; and what should have been published, where there was no way at all
        (then the steps are those of the plain order). `low`: how far the clock had come before the
        record, or must have where there is none."""
        found = self._settle(user_id, groups, cause, published, low)
        user = self._user(user_id)
        if user is None or not user.consents.holds:
            self._settled.pop(user_id, None)
        elif published:
            self._settled[user_id] = max(low, published["clock"])
        return found

    def _settle(self, user_id, groups, cause, published, low):
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
        self.searched += 1
        self._budget, self._topics = SEARCH_STEPS_MAX, topics
        if sum(len(q) for g in groups for q in g.queues.values()) <= SEARCH_DEPTH_MAX:
            for turns in range(TURNS_MAX + 1):
                self._put_back(user_id, twin(before, topics))
                left = [{name: deque(queue) for name, queue in g.queues.items()} for g in groups]
                way = Way(groups, left, last, cause, published, low)
                steps = self._search(way, 0, self._settled.get(user_id, 0), turns)
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
        if self._sight(event):
            return
        most, goal = group.high, None
        if published:
            goal = published["as_of"]
            most = min(most, published["clock"] if published["clock"] < goal else most)
            if least < goal <= most:
                yield goal
        yield from (at for at in self._instants(event.user_id, least, most) if at > least)

    def _instants(self, user_id, least, most):
        """Clocks from least to most at which time does something else to a user than before."""
        user, day = self._user(user_id), second_scorer.DAY_MS
        if user is None or not user.consents.holds:
            return []
        at, _ = self.scorer.wake_at(user)
        interval = self.scorer.interval(user)
        if at < least:  # a step that is late
            at += (least - at) // interval * interval
        found = {least, *range(at, most + 1, interval)}
        for due in user.bills.open.values():
            if due <= most:  # another day overdue
                first = max(due, least + (due - least) % day)
                found.update(range(first, min(most, first + JUMPS_MAX * day) + 1, day))
        return sorted(each for each in found if least <= each <= most)[:2 * JUMPS_MAX]

    def _search(self, way, at, clock, turns):
        """As _plain, over all orders of the topics within an interval, and clocks at events and, for
        time alone, between them: but for so many turns the least."""
        user_id = way.last.user_id
        while at < len(way.groups) and not any(way.left[at].values()):
            at += 1
        saved = twin(self._user(user_id), self._topics)
        scored = saved is not None and saved.consents.holds
        if way.published and scored and saved.published.as_of > way.published["as_of"]:
            return None
        found = self._search_next(way, at, clock, turns, saved)
        if found is not None or not scored or turns == 0:
            return found
        high = way.groups[at].high if at < len(way.groups) else way.high()
        for now in self._instants(user_id, clock, high):
            self._budget -= 1
            if self._budget < 0:
                return None
            self._put_back(user_id, twin(saved, self._topics))
            user = self._user(user_id)
            if not self._due(user, now):
                continue
            self.scorer.clock[self.partition] = now
            while self._due(user, now):
                if self._wake(way.last, user).record:
                    break
            else:
                found = self._search(way, at, now, turns - 1)
                if found is not None:
                    return found
        return None

    def _search_next(self, way, at, clock, turns, saved):
        """Nothing but the next event, or the record."""
        if at == len(way.groups):
            return self._arrive(way.last, way.cause, way.published, max(way.low, clock))
        user_id, queues = way.last.user_id, way.left[at]
        for name in ORDER:
            if not queues.get(name):
                continue
            event = queues[name].popleft()
            clocks = self._clocks(event, way.groups[at], clock, way.published)
            for i, now in enumerate(list(clocks) if turns else [next(clocks)]):
                self._budget -= 1
                if self._budget >= 0:
                    step = self._silent(event, now)
                    rest = None if step is None else self._search(way, at, now, turns - (i > 0))
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
