-- Makes deliveries due now.
-- KEYS: deliveries, held, dead, settled, then the due list of each destination, then the running list of each.
-- ARGV: what may be revived, our name, destinations, items, names of destinations, then for each item: destination by
--       number, event id. 'requeue': dead, delivered and pending ones; 'release': held ones; 'reclaim': those in flight
--       that we hold.
-- Returns how many.
local what, owner, destinations, items = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local count = 0
local now_text = string.format('%.0f', now)
for i = 1, items do
  local at = 5 + destinations + 2 * (i - 1)
  local destination, id = tonumber(ARGV[at]), ARGV[at + 1]
  local bytes = redis.call('HGET', KEYS[1], id)
  local record = bytes and unpack_record(bytes)
  local d = record and delivery_to(record, ARGV[4 + destination])
  if d then
    local member = record.seq .. id
    local revived = false
    if what == 'requeue' and d.state >= DELIVERED then
      if d.state ~= DELIVERED then
        redis.call('ZREM', KEYS[3], member .. d.destination)
      end
      redis.call('ZREM', KEYS[4], member)
      d.attempts = 0
      revived = true
    elseif what == 'requeue' and d.state == PENDING then
      revived = true
    elseif what == 'release' and d.state == HELD then
      redis.call('ZREM', KEYS[2], member .. d.destination)
      revived = true
    elseif what == 'reclaim' and d.state == IN_FLIGHT and d.owner == owner then
      redis.call('ZREM', KEYS[4 + destinations + destination], member)
      revived = true
    end
    if revived then
      local due = KEYS[4 + destination]
      local was = redis.call('ZSCORE', due, member)
      d.state, d.owner = PENDING, ''
      d.time = was and math.min(tonumber(was), now) or now
      redis.call('ZADD', due, string.format('%.0f', d.time), member)
      redis.call('HSET', KEYS[1], id, pack_record(record))
      count = count + 1
    end
  end
end
return count
