-- Writes what one reading changes, or nothing.
-- KEYS: accounts, events, deliveries, log, settled, held, rejects, rejects by age, sequence, destinations,
--       then the ledgers, then the due list of each destination.
-- ARGV: account, ledgers, destinations, remember (ms), expected state version or '', new state, announcements, rejects,
--       most rejects, names of destinations; for each ledger: expected, next, changes, the changes (slot, memories);
--       all (event id, event); all (score, rest of the record); all (held, count, destinations by number);
--       all (reject key, reject).
-- Returns {0} for a conflict, {number of a ledger, nothing} when that is damaged, else {1, numbers of new announcements,
-- numbers of new rejects}.
local account, ledgers, destinations, remember = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local announcements, rejects, most_rejects = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local at = 10 + destinations

-- First look, then write: a script that fails in the middle is not rolled back.
if ARGV[5] ~= '' then
  local state = redis.call('HGET', KEYS[1], account)
  if (state and string.match(state, '^%d+') or '0') ~= ARGV[5] then
    return { 0 }
  end
end
local plans = {}
for i = 1, ledgers do
  local header, changes = redis.call('HGET', KEYS[10 + i], ''), tonumber(ARGV[at + 2])
  if (header and string.match(header, '^%d+') or '0') ~= ARGV[at] then
    return { 0 }
  end
  plans[i] = plan_ledger(KEYS[10 + i], header, ARGV[at + 1], at + 3, changes)
  if not plans[i] then
    return { i, false }
  end
  at = at + 3 + 2 * changes
end

if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], account, ARGV[6])
end
for i = 1, ledgers do
  write_ledger(KEYS[10 + i], plans[i])
  redis.call('PEXPIRE', KEYS[10 + i], remember)
end

local created = {}
if announcements > 0 then
  local ids = {}
  for i = 1, announcements do
    ids[i] = ARGV[at + 2 * i - 2]
  end
  local known = read_fields(KEYS[3], ids)
  local seen = {}
  local events, records, log, settled, held, due = {}, {}, {}, {}, {}, {}
  for i = 1, destinations do
    due[i] = {}
  end
  local head_at = at + 2 * announcements
  local route_at = head_at + 2 * announcements
  local sequence = redis.call('INCRBY', KEYS[9], announcements) - announcements
  local born = struct.pack('<I8', now)
  local now_text = string.format('%.0f', now)
  for i = 1, announcements do
    local id, count = ids[i], tonumber(ARGV[route_at + 1])
    if not known[i] and not seen[id] then
      seen[id] = true
      created[#created + 1] = i
      local seq = struct.pack('>I8', sequence + i)
      local member, score = seq .. id, ARGV[head_at + 2 * i - 2]
      events[#events + 1] = id
      events[#events + 1] = ARGV[at + 2 * i - 1]
      records[#records + 1] = id
      records[#records + 1] = seq .. born .. ARGV[head_at + 2 * i - 1]
      log[#log + 1] = score
      log[#log + 1] = member
      if count == 0 then
        settled[#settled + 1] = now_text
        settled[#settled + 1] = member
      end
      for j = route_at + 2, route_at + 1 + count do
        local d = tonumber(ARGV[j])
        if ARGV[route_at] == '1' then
          held[#held + 1] = score
          held[#held + 1] = member .. ARGV[9 + d]
        else
          local list = due[d]
          list[#list + 1] = now_text
          list[#list + 1] = member
        end
      end
    end
    route_at = route_at + 2 + count
  end
  at = route_at
  each_piece('HSET', KEYS[2], events)
  each_piece('HSET', KEYS[3], records)
  each_piece('ZADD', KEYS[4], log)
  each_piece('ZADD', KEYS[5], settled)
  each_piece('ZADD', KEYS[6], held)
  for i = 1, destinations do
    each_piece('ZADD', KEYS[10 + ledgers + i], due[i])
  end
  if destinations > 0 then
    redis.call('SADD', KEYS[10], unpack(ARGV, 10, 9 + destinations))
  end
end

local rejected = {}
if rejects > 0 then
  -- When there is no room the newcomers are left out: turning the oldest out would make each re-reading news.
  local room = most_rejects - redis.call('HLEN', KEYS[7])
  local age = string.format('%.0f', clock[1] * 1000000 + clock[2])
  for i = 1, rejects do
    local key = ARGV[at]
    if room > 0 and redis.call('HSETNX', KEYS[7], key, age .. ':' .. ARGV[at + 1]) == 1 then
      redis.call('ZADD', KEYS[8], age, key)
      room = room - 1
      rejected[#rejected + 1] = i
    end
    at = at + 2
  end
end
return { 1, created, rejected }
