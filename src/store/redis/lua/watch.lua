-- Writes and removes watches of an account.
-- KEYS: the account's watches. ARGV: how many to write, each as id and watch; then the ids to remove.
-- Returns how many were removed. Under the empty id stands the version.
local puts, removed = tonumber(ARGV[1]), 0
for i = 1, puts do
  redis.call('HSET', KEYS[1], ARGV[2 * i], ARGV[2 * i + 1])
end
for i = 2 * puts + 2, #ARGV do
  removed = removed + redis.call('HDEL', KEYS[1], ARGV[i])
end
if puts > 0 or removed > 0 then
  -- Not HINCRBY: what the manual lets a user do does not name it.
  redis.call('HSET', KEYS[1], '', string.format('%.0f', tonumber(redis.call('HGET', KEYS[1], '') or 0) + 1))
end
return removed
