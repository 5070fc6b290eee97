-- Takes or renews the right to poll accounts.
-- KEYS: leases, of each shard once, then the watches of each account. ARGV: our name, then for each account: its shard by
-- number, the account, time (ms).
-- Returns for each account its fence, or -1 when another holds it, and the version of its watches.
local owner, fences = ARGV[1], {}
local shards, number = #KEYS - (#ARGV - 1) / 3, 0
for at = 2, #ARGV, 3 do
  local key, account = KEYS[tonumber(ARGV[at])], ARGV[at + 1]
  local fence, till, holder = 0, 0, ''
  local lease = redis.call('HGET', key, account)
  if lease then
    local a, b, c = string.match(lease, '^(%d+) (%d+) (.*)$')
    fence, till, holder = tonumber(a), tonumber(b), c
  end
  if holder ~= owner and till > now then
    fences[#fences + 1] = -1
  else
    if holder ~= owner then
      fence = fence + 1
    end
    redis.call('HSET', key, account, string.format('%.0f %.0f %s', fence, now + tonumber(ARGV[at + 2]), owner))
    fences[#fences + 1] = fence
  end
  number = number + 1
  fences[#fences + 1] = tonumber(redis.call('HGET', KEYS[shards + number], '') or 0)
end
return fences
