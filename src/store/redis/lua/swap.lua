-- Writes a field of a hash if it still holds what was read; '' stands for nothing.
-- KEYS: the hash. ARGV: field, what was read, what is to stand there. Returns 1 when it was written.
local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if known ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
