-- Takes or renews the right to poll an account.
-- KEYS: leases. ARGV: account, our name, time (ms). Returns the fence, or nothing when another holds it.
local fence, till, holder = 0, 0, ''
local lease = redis.call('HGET', KEYS[1], ARGV[1])
if lease then
  local a, b, c = string.match(lease, '^(%d+) (%d+) (.*)$')
  fence, till, holder = tonumber(a), tonumber(b), c
end
if holder ~= ARGV[2] then
  if till > now then
    return nil
  end
  fence = fence + 1
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f %s', fence, now + tonumber(ARGV[3]), ARGV[2]))
return fence
