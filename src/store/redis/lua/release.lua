-- Gives the right to poll an account back, if it is ours. The fence is kept, so that it never goes back.
-- KEYS: leases. ARGV: account, our name.
local lease = redis.call('HGET', KEYS[1], ARGV[1])
local fence, holder = string.match(lease or '', '^(%d+) %d+ (.*)$')
if holder ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], fence .. ' 0 ')
return 1
