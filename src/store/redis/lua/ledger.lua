-- A ledger is a hash. Its empty field holds version, number of groups and number of rows; the others, numbered from 0, hold
-- groups of about sixteen rows, so that these share what Redis spends on a field. In a group stands row after row: slot (16
-- bytes), length of the memories (u8, or 255 and a u32, little-endian), memories. Groups are added one by one as the rows
-- grow (linear hashing), so that a new row rewrites a group or two, however large the ledger is.
local ROWS_OF_A_GROUP = 16

-- The largest power of two that is not above the number.
local function level_of(number)
  local level = 1
  while level * 2 <= number do
    level = level * 2
  end
  return level
end

local function group_of(slot, groups, level)
  local number = struct.unpack('>I4', slot) % (level * 2)
  if number >= groups then
    return number - level
  end
  return number
end

local function row_of(slot, memories)
  if #memories < 255 then
    return slot .. string.char(#memories) .. memories
  end
  return slot .. '\255' .. struct.pack('<I4', #memories) .. memories
end

-- Where the row that begins at `at` ends; nothing when the group is damaged.
local function end_of_row(group, at)
  local length = string.byte(group, at + 16)
  local last
  if length == 255 then
    last = at + 20 <= #group and at + 20 + struct.unpack('<I4', group, at + 17)
  else
    last = length and at + 16 + length
  end
  return last and last <= #group and last or nil
end

-- Begin and end of a slot's row; nothing when it has none; false when the group is damaged. The bytes of a slot may stand
-- in the middle of another row by chance.
local function find_row(group, slot)
  local at = 1
  local hit = string.find(group, slot, 1, true)
  while hit do
    while at < hit do
      local last = end_of_row(group, at)
      if not last then
        return false
      end
      at = last + 1
    end
    if at == hit then
      local last = end_of_row(group, at)
      if not last then
        return false
      end
      return at, last
    end
    hit = string.find(group, slot, at, true)
  end
  return nil
end

-- The rows of some groups, dealt out anew among more groups; false when one is damaged.
local function deal(texts, groups, level)
  local dealt = {}
  for number, text in pairs(texts) do
    dealt[number] = dealt[number] or {}
    local at = 1
    while at <= #text do
      local last = end_of_row(text, at)
      if not last then
        return false
      end
      local to = group_of(string.sub(text, at, at + 15), groups, level)
      dealt[to] = dealt[to] or {}
      table.insert(dealt[to], string.sub(text, at, last))
      at = last + 1
    end
  end
  for number, rows in pairs(dealt) do
    texts[number] = table.concat(rows)
  end
  return texts
end

-- Adds what stands in groups that are not among `texts` yet.
local function read_groups(key, numbers, texts)
  local missing = {}
  for number in pairs(numbers) do
    if not texts[number] then
      missing[#missing + 1] = number
    end
  end
  local values = read_fields(key, missing)
  for i = 1, #missing do
    texts[missing[i]] = values[i] or ''
  end
end

-- What a write makes of a ledger: its new header, and the new texts of its groups by number. Writes nothing. False when a
-- stored group is damaged. Changes: (slot, memories) in ARGV from `first` on; no memories: the slot is removed.
local function plan_ledger(key, header, version, first, changes)
  local groups, rows = 1, 0
  if header then
    local g, r = string.match(header, '^%d+ (%d+) (%d+)$')
    if not g then
      return false
    end
    groups, rows = tonumber(g), tonumber(r)
  end
  local texts = {}
  local more = math.max(groups, math.ceil((rows + changes) / ROWS_OF_A_GROUP))
  if more > groups and rows > 0 then
    local roots = {}
    for number = groups, more - 1 do
      local root = number
      while root >= groups do
        root = root - level_of(root)
      end
      roots[root] = true
    end
    read_groups(key, roots, texts)
    if not deal(texts, more, level_of(more)) then
      return false
    end
  end
  groups = more

  local level, wanted, slots, touched = level_of(groups), {}, {}, {}
  for at = first, first + 2 * changes - 2, 2 do
    local slot = ARGV[at]
    if not wanted[slot] then
      local number = group_of(slot, groups, level)
      touched[number] = true
      slots[number] = slots[number] or {}
      table.insert(slots[number], slot)
    end
    -- The last word on a slot counts.
    wanted[slot] = ARGV[at + 1]
  end
  if rows > 0 then
    read_groups(key, touched, texts)
  end
  for number, list in pairs(slots) do
    local text, fresh = texts[number] or '', {}
    for i = 1, #list do
      local from, till = find_row(text, list[i])
      if from == false then
        return false
      elseif from then
        text = string.sub(text, 1, from - 1) .. string.sub(text, till + 1)
        rows = rows - 1
      end
      if wanted[list[i]] ~= '' then
        fresh[#fresh + 1] = row_of(list[i], wanted[list[i]])
        rows = rows + 1
      end
    end
    texts[number] = text .. table.concat(fresh)
  end
  return { header = string.format('%s %.0f %.0f', version, groups, rows), texts = texts }
end

local function write_ledger(key, plan)
  local puts, removals = { '', plan.header }, {}
  for number, text in pairs(plan.texts) do
    if text == '' then
      removals[#removals + 1] = number
    else
      puts[#puts + 1] = number
      puts[#puts + 1] = text
    end
  end
  each_piece('HSET', key, puts)
  each_piece('HDEL', key, removals)
end
