"""What the engine keeps in Redis, seen from outside: hashes of users, one field for each."""

USERS = """
local users = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if redis.call('TYPE', key).ok == 'hash' then
    for _, field in ipairs(redis.call("HKEYS", key)) do
      if field:byte(1) ~= 2 then users[#users + 1] = field end -- else whose friends they are
    end
  end
end
return users"""

DELETE = """
local gone = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do gone = gone + redis.call('DEL', key) end
return gone"""


def redis_users(stack, prefix):
    """Whose states are there under a prefix of keys."""
    return set(stack.redis("EVAL", USERS, 0, f"{prefix}:*").split())


def redis_delete(stack, prefix):
    """Deletes the keys of a prefix (which may be a pattern), as FLUSHALL would all; returns how many."""
    return int(stack.redis("EVAL", DELETE, 0, f"{prefix}:*"))
