-- Writes events that a copy brings, with their deliveries as they stand. One that is known is left.
-- KEYS: deliveries, events, log, settled, held, dead, sequence, destinations; then for each destination its due list and
--       its running list.
-- ARGV: destinations, names of destinations, events; for each event: id, event, record after its sequence, score in the
--       log, when it was settled (ms) or '', places; for each place: 'due', 'running', 'held' or 'dead', destination by number,
--       score.
local destinations = tonumber(ARGV[1])
local at = destinations + 3
for _ = 1, tonumber(ARGV[destinations + 2]) do
  local id, places = ARGV[at], tonumber(ARGV[at + 5])
  if redis.call('HEXISTS', KEYS[1], id) == 0 then
    local seq = struct.pack('>I8', redis.call('INCR', KEYS[7]))
    local member = seq .. id
    for i = 1, places do
      local place = at + 3 + 3 * i
      local list, number, score = ARGV[place], tonumber(ARGV[place + 1]), ARGV[place + 2]
      if list == 'due' then
        redis.call('ZADD', KEYS[7 + 2 * number], score, member)
      elseif list == 'running' then
        redis.call('ZADD', KEYS[8 + 2 * number], score, member)
      else
        redis.call('ZADD', KEYS[list == 'held' and 5 or 6], score, member .. ARGV[1 + number])
      end
    end
    if ARGV[at + 4] ~= '' then
      redis.call('ZADD', KEYS[4], ARGV[at + 4], member)
    end
    redis.call('ZADD', KEYS[3], ARGV[at + 3], member)
    redis.call('HSET', KEYS[2], id, ARGV[at + 1])
    redis.call('HSET', KEYS[1], id, seq .. ARGV[at + 2])
  end
  at = at + 6 + 3 * places
end
if destinations > 0 then
  redis.call('SADD', KEYS[8], unpack(ARGV, 2, 1 + destinations))
end
return 1
