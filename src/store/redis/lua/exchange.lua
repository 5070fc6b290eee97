-- Writes settlements, then leases what is due.
-- KEYS: for each shard: deliveries, events, settled, dead; then for each destination its due list in each shard; then for
--       each destination its running list in each shard.
-- ARGV: shards, destinations, our name, wants, settlements, names of destinations; for each want: destination by number,
--       room, lease (ms); for each settlement: shard and destination by number, event id, fence, verdict, wait (ms), attempt.
-- Returns {for each settlement 1 or 0, leases as (destination, shard, event id, fence, attempts, number of the event),
--          events, ms to the next due or -1, for each want how many more are due (with one shard only)}.
local shards, destinations, owner = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local wants, settlements = tonumber(ARGV[4]), tonumber(ARGV[5])
local SPENT, UNSPENT = 0, 9 -- verdicts "again"; the others are the new state itself

local function shard_key(shard, which)
  return KEYS[(shard - 1) * 4 + which]
end
local function due_key(destination, shard)
  return KEYS[4 * shards + (destination - 1) * shards + shard]
end
local function running_key(destination, shard)
  return KEYS[(4 + destinations) * shards + (destination - 1) * shards + shard]
end
local function name(destination)
  return ARGV[5 + destination]
end

-- Many small changes of one key become one command.
local changes, order = {}, {}
local function change(command, key, first, second)
  local slot = command .. key
  local list = changes[slot]
  if not list then
    list = {}
    changes[slot] = list
    order[#order + 1] = { command, key, list }
  end
  list[#list + 1] = first
  if second then
    list[#list + 1] = second
  end
end
local function write_changes()
  for i = 1, #order do
    each_piece(order[i][1], order[i][2], order[i][3])
  end
  changes, order = {}, {}
end

local records = {} -- by shard, then by event id; false: it does not exist
for shard = 1, shards do
  records[shard] = {}
end
local function load_records(ids) -- ids by shard
  for shard, list in pairs(ids) do
    local missing = {}
    for i = 1, #list do
      if records[shard][list[i]] == nil then
        records[shard][list[i]] = false
        missing[#missing + 1] = list[i]
      end
    end
    local values = read_fields(shard_key(shard, 1), missing)
    for i = 1, #missing do
      records[shard][missing[i]] = values[i] and unpack_record(values[i])
    end
  end
end
local function collect(lists, shard, value)
  local list = lists[shard]
  if not list then
    list = {}
    lists[shard] = list
  end
  list[#list + 1] = value
end

local touched = {} -- by shard: event id → true
local function touch(shard, id)
  touched[shard] = touched[shard] or {}
  touched[shard][id] = true
end

local written = {}
if settlements > 0 then
  local first = 6 + destinations + 3 * wants
  local ids = {}
  for at = first, first + 7 * (settlements - 1), 7 do
    collect(ids, tonumber(ARGV[at]), ARGV[at + 2])
  end
  load_records(ids)
  for i = 1, settlements do
    local at = first + 7 * (i - 1)
    local shard, destination, id = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2]
    local record = records[shard][id]
    local d = record and delivery_to(record, name(destination))
    written[i] = 0
    if d and d.state == IN_FLIGHT and d.fence == tonumber(ARGV[at + 3]) then
      written[i] = 1
      local verdict, member = tonumber(ARGV[at + 4]), record.seq .. id
      if ARGV[at + 6] ~= '' then
        d.last = ARGV[at + 6]
      end
      if verdict ~= UNSPENT then
        d.attempts = d.attempts + 1
      end
      d.owner = ''
      change('ZREM', running_key(destination, shard), member)
      if verdict == SPENT or verdict == UNSPENT then
        d.state, d.time = PENDING, now + tonumber(ARGV[at + 5])
        change('ZADD', due_key(destination, shard), string.format('%.0f', d.time), member)
      else
        d.state, d.time = verdict, now
        if verdict ~= DELIVERED then
          change('ZADD', shard_key(shard, 4), string.format('%.0f', detected_score(record)), member .. d.destination)
        end
        if is_settled(record) then
          change('ZADD', shard_key(shard, 3), string.format('%.0f', now), member)
        end
      end
      touch(shard, id)
    end
  end
  for shard, ids_ in pairs(touched) do
    for id in pairs(ids_) do
      change('HSET', shard_key(shard, 1), id, pack_record(records[shard][id]))
    end
  end
  write_changes()
  touched = {}
end

-- The due and running lists of one destination in all shards are read as one: earliest first. What runs falls due again
-- when its lease is over.
local picks, running = {}, {}
local next_due = -1
local function pick(destination, room, lease)
  local keys = {}
  for shard = 1, shards do
    keys[shard] = due_key(destination, shard)
    keys[shards + shard] = running_key(destination, shard)
  end
  if redis.call('EXISTS', unpack(keys)) == 0 then
    return 0
  end
  local waiting = 0
  if shards == 1 then
    local till = string.format('%.0f', now)
    waiting = redis.call('ZCOUNT', keys[1], '-inf', till) + redis.call('ZCOUNT', keys[2], '-inf', till)
  end
  local size = math.min(room + 1, 32)
  local cursors, earliest = {}, nil
  local function fill(cursor)
    cursor.list = redis.call('ZRANGE', keys[cursor.number], cursor.rank, cursor.rank + size - 1, 'WITHSCORES')
    cursor.rank = cursor.rank + size
    cursor.at = 1
    cursor.score = cursor.list[2] and tonumber(cursor.list[2])
  end
  for number = 1, 2 * shards do
    local cursor = { number = number, rank = 0 }
    fill(cursor)
    if cursor.score and (number <= shards or cursor.score <= now) then
      cursors[#cursors + 1] = cursor
    elseif cursor.score and (not earliest or cursor.score < earliest.score) then
      earliest = { destination = destination, shard = number - shards, member = cursor.list[1], score = cursor.score }
    end
  end
  running[#running + 1] = earliest
  local taken = 0
  while true do
    local best
    for i = 1, #cursors do
      local cursor = cursors[i]
      if cursor.score and (not best or cursor.score < best.score) then
        best = cursor
      end
    end
    if not best then
      return math.max(waiting - taken, 0)
    end
    if best.score > now or taken >= room then
      local wait = math.max(best.score - now, 0)
      if next_due < 0 or wait < next_due then
        next_due = wait
      end
      return math.max(waiting - taken, 0)
    end
    picks[#picks + 1] = {
      destination = destination,
      shard = (best.number - 1) % shards + 1,
      key = keys[best.number],
      member = best.list[best.at],
      till = now + lease,
    }
    taken = taken + 1
    best.at = best.at + 2
    if best.list[best.at] then
      best.score = tonumber(best.list[best.at + 1])
    else
      fill(best)
    end
    if best.number > shards and best.score and best.score > now then
      best.score = nil
    end
  end
end
local waiting = {}
for i = 1, wants do
  local at = 6 + destinations + 3 * (i - 1)
  waiting[i] = pick(tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]))
end

-- Our own attempts end and ask again; of another instance's nothing may be heard any more. So who has nothing to do is
-- told when the first of those leases is over.
if #picks == 0 then
  for i = 1, #running do
    local shard, id = running[i].shard, string.sub(running[i].member, 9)
    load_records({ [shard] = { id } })
    local record = records[shard][id]
    local d = record and delivery_to(record, name(running[i].destination))
    local wait = running[i].score - now
    if d and d.owner ~= owner and (next_due < 0 or wait < next_due) then
      next_due = wait
    end
  end
end

local leases, events = {}, {}
if #picks > 0 then
  local ids = {}
  for i = 1, #picks do
    picks[i].id = string.sub(picks[i].member, 9)
    collect(ids, picks[i].shard, picks[i].id)
  end
  load_records(ids)
  local numbers = {}
  for shard, list in pairs(ids) do
    local unique = {}
    numbers[shard] = {}
    for i = 1, #list do
      if numbers[shard][list[i]] == nil then
        numbers[shard][list[i]] = false
        unique[#unique + 1] = list[i]
      end
    end
    local values = read_fields(shard_key(shard, 2), unique)
    for i = 1, #unique do
      if values[i] then
        events[#events + 1] = values[i]
        numbers[shard][unique[i]] = #events
      end
    end
  end
  for i = 1, #picks do
    local taken = picks[i]
    local shard, id = taken.shard, taken.id
    local record, number = records[shard][id], numbers[shard][id]
    local d = record and delivery_to(record, name(taken.destination))
    local running = running_key(taken.destination, shard)
    -- Without its event nobody could attempt it any more.
    local good = d and number and (d.state == PENDING or d.state == IN_FLIGHT)
    if not good or taken.key ~= running then
      change('ZREM', taken.key, taken.member)
    end
    if good then
      d.state, d.fence, d.time, d.owner = IN_FLIGHT, d.fence + 1, taken.till, owner
      touch(shard, id)
      change('ZADD', running, string.format('%.0f', taken.till), taken.member)
      local n = #leases
      leases[n + 1], leases[n + 2], leases[n + 3] = taken.destination, shard, id
      leases[n + 4], leases[n + 5], leases[n + 6] = d.fence, d.attempts, number
    end
  end
  for shard, ids_ in pairs(touched) do
    for id in pairs(ids_) do
      change('HSET', shard_key(shard, 1), id, pack_record(records[shard][id]))
    end
  end
  write_changes()
end
return { written, leases, events, next_due, waiting }
