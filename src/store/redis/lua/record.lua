-- Shared head of every script. Redis' own clock rules; milliseconds since 1970, exact in a double.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Lua's stack takes some 8000 values: longer argument lists go in pieces. Pairs stay together.
local PIECE = 6000
local function each_piece(command, key, list)
  for from = 1, #list, PIECE do
    redis.call(command, key, unpack(list, from, math.min(from + PIECE - 1, #list)))
  end
end

-- The values of many hash fields, in order.
local function read_fields(key, fields)
  local values = {}
  for from = 1, #fields, PIECE do
    local piece = redis.call('HMGET', key, unpack(fields, from, math.min(from + PIECE - 1, #fields)))
    for i = 1, #piece do
      values[from + i - 1] = piece[i]
    end
  end
  return values
end

-- States of a delivery; record.rs has the same numbers.
local PENDING, HELD, IN_FLIGHT, DELIVERED, EXHAUSTED, REFUSED = 0, 1, 2, 3, 4, 5

local function unpack_record(bytes)
  local record = { deliveries = {} }
  local count, at
  record.seq, record.born, record.detected, record.account, count, at = struct.unpack('<c8I8c12I4c0I4', bytes)
  for i = 1, count do
    local d = {}
    d.destination, d.state, d.attempts, d.fence, d.time, d.owner, d.last, at =
      struct.unpack('<I4c0BI4I4I8I4c0I4c0', bytes, at)
    record.deliveries[i] = d
  end
  return record
end

local function pack_record(record)
  local list = record.deliveries
  local out = {
    struct.pack('<c8I8c12I4c0I4', record.seq, record.born, record.detected, #record.account, record.account, #list),
  }
  for i = 1, #list do
    local d = list[i]
    out[i + 1] = struct.pack(
      '<I4c0BI4I4I8I4c0I4c0', #d.destination, d.destination, d.state, d.attempts, d.fence, d.time,
      #d.owner, d.owner, #d.last, d.last)
  end
  return table.concat(out)
end

local function delivery_to(record, destination)
  for i = 1, #record.deliveries do
    if record.deliveries[i].destination == destination then
      return record.deliveries[i]
    end
  end
  return nil
end

-- Whether nothing is left to be done for the event.
local function is_settled(record)
  for i = 1, #record.deliveries do
    if record.deliveries[i].state < DELIVERED then
      return false
    end
  end
  return true
end

-- When the event was detected, in microseconds: the order of the operator's lists.
local function detected_score(record)
  local seconds, nanoseconds = struct.unpack('<i8I4', record.detected)
  return seconds * 1000000 + math.floor(nanoseconds / 1000)
end
