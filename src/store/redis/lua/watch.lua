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
  redis.call('HINCRBY', KEYS[1], '', 1)
end
return removed
