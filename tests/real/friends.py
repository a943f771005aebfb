"""The ego-Facebook friendships (SNAP, McAuley and Leskovec 2012) as sesame's events.

Reads the edge list, plain or gzipped: one undirected edge a line. Standard library only. A member is
the user "fb-<number>". The records have no times: everybody grants SCORING and SOCIAL on 1 January 2012,
and the n-th edge is FRIEND_ADDED for both sides n seconds into the 2nd.
"""

import gzip

DAY_MS = 86400000
GRANTED_AT = 15340 * DAY_MS  # 2012-01-01


def consent(user, purpose):
    return "consents", {
        "event_id": f"{user}-{purpose.lower()}",
        "user_id": user,
        "occurred_at": GRANTED_AT,
        "action": "GRANTED",
        "purpose": purpose,
        "subscriber": "",
    }


def events(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    granted = set()
    with opener(path, "rt", encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            left, right = ("fb-" + name for name in line.split())
            for user in (left, right):
                if user not in granted:
                    granted.add(user)
                    yield consent(user, "SCORING")
                    yield consent(user, "SOCIAL")
            for user, friend in ((left, right), (right, left)):
                yield "social", {
                    "event_id": f"edge-{number}-{friend}",
                    "user_id": user,
                    "occurred_at": GRANTED_AT + DAY_MS + number * 1000,
                    "action": "FRIEND_ADDED",
                    "friend_id": friend,
                }
