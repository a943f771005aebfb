"""What must hold of a partition however friends and models had their say, without folding an event.

Where friends are kept, or the live model changes, scores are not recounted here: in which order friends'
messages were read among events is in no position. `sesame verify` recomputes them (audit.py). This judge,
which shares nothing with the engine, sees to what any subscriber can count on: every input record is
accounted for, and led to at most one score record; sequence numbers, positions, clocks and models go on
as they should; grants and revocations are those of published scores, and stand as the last ones say;
each subscriber has seen what was published while the user shared it, and that only; what is kept in
Redis and the changelog is of those who consented.
"""

from typing import NamedTuple

from accounts import OUTCOMES
from bus import INPUTS
from recount import Recount, decode, plain_schema
from settle import second_scorer

BY_ITSELF = ("OVERDUE", "AGED", "RESCORE")  # without a cause


class Rules(NamedTuple):
    """What was in force while the run lasted."""
    models: list  # files
    live: int  # which of them is, in the end
    changes: int  # how often another one has become it


class Invariants(Recount):
    def __init__(self, partition, partitions, inputs, schema_ids, rules, subscribers, marks):
        models = [second_scorer.Model(file) for file in rules.models]
        super().__init__(partition, partitions, inputs, schema_ids, models[0], subscribers)
        self.rules, self.marks = rules, marks
        self._versions = [model.version for model in models]
        self._scores = plain_schema("scores")
        self._published = {}  # user -> the values of its records, not decoded
        self._last = {}  # user -> kind, standing, score, model, how often it was told of another
        self._cited = {}  # what an entitlement cites -> which record that is, its score
        self._neighbours = 0

    # -- score records

    def take(self, positions, high, published=None):
        if published is None:
            return
        topic, offset = published["topic"], published["offset"]
        if topic == "neighbours":
            self._take_message(positions, offset, published)
            topic = None
        if self._reaches(positions, topic and (topic, offset), published):
            self.at = {name: positions[name] for name in INPUTS}
        if topic and self.inputs[topic][offset][1] != published["user_id"].encode():
            self._differ(f"published of what another has done: {published}")
        if published["kind"] != "RESCORE":
            self._check_clock(published["as_of"], published["clock"], high, published)
        self.clock = max(self.clock, published["clock"])
        self._take_model(published)
        key = (published["user_id"], published["sequence"], published["as_of"], published["topic"],
               published["offset"])
        self._cited[key] = len(self._cited), published["score"]

    def keep(self, user_id, value):
        """The value of the record that was taken, for the subscribers' sake."""
        self._published.setdefault(user_id, []).append(value)

    def _take_message(self, positions, offset, published):
        if not self._neighbours <= offset == positions["neighbours"] - 1:
            self._differ(f"published twice, or of no message: {published}")
        self._neighbours = positions["neighbours"]

    def _take_model(self, published):
        user_id, kind, model = (published[key] for key in ("user_id", "kind", "model_version"))
        before = self._last.get(user_id)
        told = 0 if before is None else before[3]
        if kind == "RESCORE":
            told += 1
            if before is None or before[2] == model:
                self._differ(f"told of no other model: {published}")
        elif kind != "OPT_IN" and before and before[2] != model:
            self._differ(f"scored by another model, untold: {published}")
        if model not in self._versions or told > self.rules.changes:
            self._differ(f"of no model that was live then: {published}")
        self._last[user_id] = published["standing"], published["score"], model, told

    def finish(self, positions, clock, due_by):
        if clock < self.clock:
            self._differ(f"the clock has fallen from {self.clock} to the last mark's {clock}")
        live = self._versions[self.rules.live]
        for user_id, (standing, _, model, _) in self._last.items():
            if standing != "OPTED_OUT" and model != live:
                self._differ(f"{user_id} stands as of model {model}, {live} is live")
        sweep = self.marks.sweep
        if (sweep["epoch"], sweep["swept"]) != (self.rules.changes, self.rules.changes):
            self._differ(f"{sweep} behind {self.rules.changes} changes of model")
        self.scorer.clock[self.partition] = clock
        for name in INPUTS:
            for offset in range(positions[name]):
                event = self._readable(name, offset)
                if event and name in ("consents", "blacklist"):
                    self.scorer.outcome(event)  # for the sake of holders()
        for name, counts in self.marks.last.items():
            if counts["consumed"] != sum(counts[outcome] for outcome in OUTCOMES):
                self._differ(f"{name} does not add up: {counts}")

    # -- what came with them

    def expected_dead(self, found):
        """Whose state has no room left is not told here."""
        refused = {where: reason for where, (reason, _) in found.items() if reason == "TOO_MANY"}
        dead = {**refused, **self.dead}
        for name in INPUTS:
            own = self.marks.last[name]
            self.counts[name] = {outcome: own[outcome] for outcome in OUTCOMES}
            self.counts[name]["dead_lettered"] = sum(topic == name for topic, _ in dead)
        return dead

    def compare_entitlements(self, found):
        held, at = {}, 0
        for user_id, action, benefit, score, sequence, as_of, topic, offset in found:
            (number, published) = self._cited.get((user_id, sequence, as_of, topic, offset), (-1, None))
            if number < at or score != published:
                self._differ(f"{action} of {benefit} to {user_id} cites no record in its place: "
                             f"sequence {sequence}, {topic} {offset}")
            at = max(at, number)
            own = held.setdefault(user_id, set())
            (own.add if action == "GRANTED" else own.discard)(benefit)
        for user_id, (standing, score, _, _) in self._last.items():
            for benefit, threshold in self.model.benefits:
                least = threshold - self.model.revoke_margin
                has = benefit in held.get(user_id, ())
                if standing != "SCORED" and has or standing == "SCORED" and not (
                        score >= least if has else score < threshold):
                    self._differ(f"{user_id}, {standing} at {score}, "
                                 f"{'has' if has else 'has not'} {benefit}")

    def check_subscribers(self):
        for text in self.subscribers.differences:
            self._differ(text)
        for topic in self.subscribers.topics.values():
            for user_id, values in topic.found.items():
                records = [decode(self._scores, v) for v in self._published.get(user_id, ())]
                self._check_shared(topic, user_id, records, [topic.decode(v) for v in values])

    def _check_shared(self, topic, user_id, records, values):
        """Each value is a record, in their order; while a user shares none is left out."""
        at, sharing = 0, False
        whole, name = topic.subscriber.whole, topic.subscriber.topic
        for value in values:
            if value is None:
                if whole and not sharing:
                    self._differ(f"{name}: a tombstone of {user_id}, who did not share")
                sharing = False
                continue
            first = value["kind"] == "SHARED"
            place = (self._shared_at if first else self._next_at)(value, records, at)
            if place is None or whole and not first and not (sharing and place == at):
                self._differ(f"{name}: {user_id} gets {value}, which is not what was published next")
                return
            at, sharing = place + 1, True
        if sharing and at != len(records):
            self._differ(f"{name}: {user_id} is not told of {records[at]}")

    @staticmethod
    def _shared_at(value, records, _at):
        """The record by which the user stands where the grant is read; time may follow at once."""
        for i in reversed(range(len(records))):
            if all(records[i]["positions"][name] <= value["positions"][name] for name in INPUTS) and \
                    all(records[i][name] == value[name] for name in ("sequence", "standing", "score")):
                return i
        return None

    @staticmethod
    def _next_at(value, records, at):
        for i in range(at, len(records)):
            if all(records[i][name] == seen for name, seen in value.items()):
                return i
        return None
