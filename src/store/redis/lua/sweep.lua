-- Forgets a bounded number of events that were settled long ago, and old rejects.
-- KEYS: settled, log, events, deliveries, dead, rejects, rejects by age. ARGV: retention (ms), most.
-- Returns {events, rejects}.
local before, most = now - tonumber(ARGV[1]), tonumber(ARGV[2])
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', before), 'LIMIT', 0, most)
if #members > 0 then
  local ids, dead = {}, {}
  for i = 1, #members do
    ids[i] = string.sub(members[i], 9)
  end
  local records = read_fields(KEYS[4], ids)
  for i = 1, #ids do
    local record = records[i] and unpack_record(records[i])
    for j = 1, record and #record.deliveries or 0 do
      if record.deliveries[j].state > DELIVERED then
        dead[#dead + 1] = members[i] .. record.deliveries[j].destination
      end
    end
  end
  each_piece('ZREM', KEYS[1], members)
  each_piece('ZREM', KEYS[2], members)
  each_piece('HDEL', KEYS[3], ids)
  each_piece('HDEL', KEYS[4], ids)
  each_piece('ZREM', KEYS[5], dead)
end
local old = redis.call(
  'ZRANGEBYSCORE', KEYS[7], '-inf', string.format('%.0f', before * 1000), 'LIMIT', 0, most)
each_piece('HDEL', KEYS[6], old)
each_piece('ZREM', KEYS[7], old)
return { #members, #old }
