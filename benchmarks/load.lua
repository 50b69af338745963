-- Load: what wrk sends, and its figures as one line of JSON.
-- Arguments after `--`: a kind (path, get, page, cursor, signed, create, mixed, bulk, developer; create and developer with
-- `_keyed` or `_again` behind them), a path (of a file of cursors, or of paths with tokens), the number of users, a token of
-- this run, the seed of the ids, milliseconds to pause before each request.

local headers = " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
local json = headers .. "Content-Type: application/json\r\nContent-Length: "
local rows_per_bulk = 1000
local path, users, token, template
local cursors
local count = 0

local function post(to, body, key)
  local keyed = key and "\r\nIdempotency-Key: " .. key or ""
  return "POST " .. to .. json .. #body .. keyed .. "\r\n\r\n" .. body
end

local function get(from)
  return "GET " .. from .. headers .. "\r\n"
end

local function get_any()
  return get("/users/" .. math.random(users))
end

-- The first hundred pages, as few look further.
local function any_page()
  return get("/users?page=" .. math.random(100) .. "&size=20")
end

local function read_cursors(file)
  cursors = {}
  for line in io.lines(file) do
    cursors[#cursors + 1] = line
  end
end

local function any_cursor()
  return get("/users?cursor=" .. cursors[math.random(#cursors)] .. "&size=20")
end

local function read_signed(file)
  cursors = {}
  for line in io.lines(file) do
    local from, signature = line:match("(%S+) ?(%S*)")
    local signed = signature ~= "" and "Authorization: Bearer " .. signature .. "\r\n" or ""
    cursors[#cursors + 1] = "GET " .. from .. headers .. signed .. "\r\n"
  end
end

local function any_signed()
  return cursors[math.random(#cursors)]
end

-- Addresses never repeat: a token for the run, a count within it.
local function create(key)
  count = count + 1
  local email = "new-" .. token .. "-" .. count .. "@example.com"
  return post("/users", '{"name":"New User","email":"' .. email .. '","password":"correct horse"}', key)
end

local function developer(key)
  count = count + 1
  local email = "new-" .. token .. "-" .. count .. "@example.com"
  return post("/developers", '{"name":"New","email":"' .. email .. '","specialty":"backend"}', key)
end

-- A key of its own for each, or the same request time and again.
local function keyed(make)
  return function() return make(token .. "-" .. count) end
end

local function again(make)
  local first
  return function()
    first = first or make(token)
    return first
  end
end

local function mixed()
  if math.random(10) == 1 then
    return create()
  end
  return get_any()
end

-- Only the count differs between two bodies, so that wrk spends little of the shared cores on making them.
local function bulk_template()
  local rows = {}
  for n = 1, rows_per_bulk do
    rows[n] = '{"name":"Developer ' .. n .. '","email":"d' .. n .. "-" .. token
      .. '-@@@@@@@@@example.com","specialty":"backend"}'
  end
  return "[" .. table.concat(rows, ",") .. "]"
end

local function bulk()
  count = count + 1
  return post("/developers/bulk", (template:gsub("@@@@@@@@", string.format("%08d", count))))
end

function init(arguments)
  path, users, token = arguments[2], tonumber(arguments[3]), arguments[4]
  math.randomseed(tonumber(arguments[5]))
  local pause = tonumber(arguments[6])
  if pause > 0 then
    -- Spread, or all connections would send at once.
    delay = function() return math.random(0, 2 * pause) end
  end
  local constant = get(path)
  local kinds = {
    path = function() return constant end, get = get_any, page = any_page, cursor = any_cursor,
    signed = any_signed,
    create = function() return create() end, create_keyed = keyed(create), create_again = again(create),
    developer = function() return developer() end, developer_keyed = keyed(developer), developer_again = again(developer),
    mixed = mixed, bulk = bulk,
  }
  request = kinds[arguments[1]]
  if arguments[1] == "cursor" then
    read_cursors(path)
  end
  if arguments[1] == "signed" then
    read_signed(path)
  end
  if arguments[1] == "bulk" then
    template = bulk_template()
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
