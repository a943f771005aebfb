"""What was published, counted and kept against what a scenario claims."""




class Seen:
    """What the world shows of one scenario, from its beginning; users by their ids.

    records: (topic, user, value) of all topics that subscribers see, in order within a topic; a value
    is a dict, times in milliseconds, or None. letters: [(topic, reason, user)…]. The functions are
    asked only where a claim needs them: stored and kept say who of the cast has a state in the store,
    in the changelog; accounts is {topic: {outcome: N}}.
    """

    def __init__(self, records, letters, stored, kept, accounts):
        self.records, self.letters = records, letters
        self.stored, self.kept, self.accounts = stored, kept, accounts


def tell(value, benefits=()):
    """A record in the words of a claim."""
    if value is None:
        return "tombstone"
    words = [str(value.get("kind", ""))]
    words += ["no score"] if value.get("score") is None else [f"score {value['score']}"]
    for word, key in (("tier", "tier"), ("sequence", "sequence"), ("case", "case_id")):
        words += [f"{word} {value[key]}"] if value.get(key) is not None else []
    codes = [reason["code"] for reason in value.get("reasons", [])]
    words += [f"reasons {' + '.join(codes)}"] if codes else []
    for action, word in (("GRANTED", "grants"), ("REVOKED", "revokes")):
        of = [benefit for each, benefit in benefits if each == action]
        words += [f"{word} {' + '.join(of)}"] if of else []
    return ", ".join(words)


def cause_of(value):
    cause = value["cause"]
    if cause is None:  # a step of time: none of a user is like another
        return value.get("as_of"), value.get("sequence")
    return cause["topic"], cause["partition"], cause["offset"]


class Judge:
    """Of one scenario. What a claim has been made of is not looked at again."""

    def __init__(self, scenario, cast, calendar):
        self.scenario, self.cast, self.calendar = scenario, cast, calendar
        self.read = {}     # (topic, user) -> how many records claims have been made of
        self.letters = 0

    def queues(self, seen):
        """(topic, user's name) -> all values."""
        queues = {}
        for topic, user, value in seen.records:
            if topic != "entitlements":
                queues.setdefault((topic, self.cast.names.get(user, user)), []).append(value)
        return queues

    def benefits(self, seen, user, value):
        """What was granted and revoked by the same event as a score record."""
        if value is None or "cause" not in value:
            return []
        return [
            (each["action"], each["benefit_id"])
            for topic, owner, each in seen.records
            if topic == "entitlements" and self.cast.names.get(owner) == user
            and cause_of(each) == cause_of(value)
        ]

    def new(self, seen):
        """Told: the records that no claim has been made of yet."""
        return [
            (topic, user, value, f"{'' if topic == 'scores' else topic + ' '}{user}: "
             + tell(value, self.benefits(seen, user, value)))
            for (topic, user), values in self.queues(seen).items()
            for value in values[self.read.get((topic, user), 0):]
        ]

    def check(self, claims, seen):
        """What is wrong with the claims of a round: [(line, text)…]. Goes on behind them if nothing."""
        before = dict(self.read), self.letters
        wrong = []
        for kind, content, line in claims:
            wrong += [(line, text) for text in self._check(kind, content, seen)]
        if wrong:
            self.read, self.letters = before
        return wrong

    def _check(self, kind, content, seen):
        if kind == "then":
            return self._then(content, seen)
        if kind == "stored":
            return self._stored(content, seen)
        if kind == "nothing stored":
            return self._nothing_stored(content, seen)
        if kind == "accounts":
            return self._accounts(content, seen)
        return self._dead_letters(content, seen)

    def _then(self, content, seen):
        queues = self.queues(seen)
        if content == "anything":
            self.read = {key: len(values) for key, values in queues.items()}
            return []
        wrong = []
        if content != "nothing":
            for claim in content:
                wrong += self._claim(claim, queues.get((claim.topic, claim.user), []), seen)
        if not wrong:
            wrong += [f"not expected: {text}" for *_, text in self.new(seen)]
        return wrong

    def _claim(self, claim, values, seen):
        at = self.read.get((claim.topic, claim.user), 0)
        if at >= len(values):
            return [f"expected {claim.text}; nothing was published"]
        self.read[claim.topic, claim.user] = at + 1
        value, previous = values[at], values[at - 1] if at else None
        benefits = self.benefits(seen, claim.user, value)
        if value is None or claim.tombstone:
            wrong = [] if value is None and claim.tombstone else [f"it is {tell(value, benefits)}"]
        else:
            wrong = [check(value, previous) for check in claim.checks]
        if claim.topic == "scores" and benefits != claim.benefits:
            wrong.append("it " + (tell({}, benefits).partition(", no score")[2].lstrip(", ")
                                  or "grants and revokes nothing"))
        wrong = [each for each in wrong if each]
        if not wrong:
            return []
        return [f"expected {claim.text}; but {', '.join(wrong)}"
                f"\n      it was {claim.user}: {tell(value, benefits)}"]

    def _stored(self, names, seen):
        stored, kept = seen.stored(), seen.kept()
        wrong = []
        for name in names:
            id = self.cast.ids.get(name, name)
            if id not in stored or id not in kept:
                wrong.append(f"expected a state of {name}; it is"
                             f" {'' if id in stored else 'not '}in the store,"
                             f" {'' if id in kept else 'not '}in the changelog")
        return wrong

    def _nothing_stored(self, names, seen):
        stored, kept = seen.stored(), seen.kept()
        wrong = []
        for name in names:
            id = self.cast.ids.get(name, name)
            where = [w for w, there in (("the store", stored), ("the changelog", kept)) if id in there]
            if where:
                wrong.append(f"expected nothing of {name}; {' and '.join(where)} has a state")
        return wrong

    def _accounts(self, content, seen):
        accounts, wrong = seen.accounts(), []
        for topic, wanted in content.items():
            found = {o: n for o, n in accounts.get(topic, {}).items() if n}
            if found != {o: n for o, n in wanted.items() if n}:
                told = " + ".join(f"{n} {outcome}" for outcome, n in found.items()) or "nothing"
                wrong.append(f"expected of {topic}"
                             f" {' + '.join(f'{n} {o}' for o, n in wanted.items())}; counted {told}")
        return wrong

    def _dead_letters(self, content, seen):
        found = [(topic, reason) for topic, reason, _user in seen.letters[self.letters:]]
        self.letters = len(seen.letters)
        if sorted(found) == sorted(content):
            return []
        told = [", ".join(" ".join(each) for each in some) or "none" for some in (content, found)]
        return [f"expected the dead letters {told[0]}; there are {told[1]}"]

    def finish(self, seen):
        """What must hold at the end, whatever the scenario claims."""
        wrong = [f"at the end, not expected: {text}" for *_, text in self.new(seen)]
        for topic, reason, _user in seen.letters[self.letters:]:
            wrong.append(f"at the end, not expected: a dead letter of {topic}, {reason}")
        queues = self.queues(seen)
        for (topic, user), values in queues.items():
            if topic == "scores":
                wrong += chain(user, values)
        wrong += self._balance(seen, queues)
        sent = {}
        for each in self.scenario.rounds:
            for event in each.events:
                sent[event.topic] = sent.get(event.topic, 0) + 1
        accounts = seen.accounts()
        for topic, number in sent.items():
            if sum(accounts.get(topic, {}).values()) != number:
                wrong.append(f"{number} {topic} were sent, the accounts are {accounts.get(topic)}")
        return wrong

    def _balance(self, seen, queues):
        """GRANTED and REVOKED take turns, and each goes with a score record."""
        held, wrong = set(), []
        for topic, owner, value in seen.records:
            if topic != "entitlements":
                continue
            user = self.cast.names.get(owner, owner)
            key, granted = (owner, value["benefit_id"]), value["action"] == "GRANTED"
            if granted == (key in held):
                wrong.append(f"{user}: {value['benefit_id']} is {value['action']} twice")
            (held.add if granted else held.discard)(key)
            causes = [cause_of(each) for each in queues.get(("scores", user), [])]
            if cause_of(value) not in causes:
                wrong.append(f"{user}: {value['benefit_id']} {value['action']} without a score record")
        return wrong


def chain(user, values):
    """Sequence numbers rise by one from each opt-in on, and previous_score is what was before."""
    wrong, before = [], {"kind": "OPT_OUT", "sequence": 0, "score": None}
    for value in values:
        first = before["kind"] == "OPT_OUT"
        wanted = 1 if first else before["sequence"] + 1
        if value["sequence"] != wanted or (value["kind"] == "OPT_IN") != first:
            wrong.append(f"{user}: {tell(value)} comes behind {tell(before)}")
        elif value["previous_score"] != before["score"]:
            wrong.append(f"{user}: previous score {value['previous_score']} behind {tell(before)}")
        before = value
    return wrong
