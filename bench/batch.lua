-- wrk's script: POSTs atomic batches of transfers among accounts 1 .. n, and prints what it counted as one
-- line of JSON. A unit is a transfer in a batch whose answer was 201.
--
--     wrk ... -s batch.lua URL -- ACCOUNTS uniform KEYS RUN MEMBERS
--
-- MEMBERS is how many each has, such as `500`. With `10 of one` all are of one source; with `10 split` it is no
-- batch, but a split of one amount to as many targets.
-- KEYS is yes or no: with keys each batch has one, and if MEMBERS is not `500` but `500 keyed`, each of its
-- members has one of its own too. RUN is a word unlike that of any other run against the same database: with
-- it no key comes twice. Without keys the requests are built before the first is sent; with keys all but a
-- counter in each.

local POOL = 64 -- batches built; they are sent round and round

local threads = {}

function setup(thread)
   threads[#threads + 1] = thread
   thread:set("number", #threads)
end

right, wrong = 0, 0 -- answers; `done` asks for them, so they are not local

local built, keys, member_keys, is_split, of_one, count, run = {}, false, false, false, false, 0, ""

local function head(body, headers)
   return "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nContent-Type: application/json"
      .. headers .. "\r\nContent-Length: " .. #body .. "\r\n\r\n"
end

local function transfer(accounts, source)
   local target = math.random(accounts - 1)
   if target >= source then target = target + 1 end
   return string.format(
      '{"source_account_id": %d, "target_account_id": %d, "amount": "%d.%02d"',
      source, target, math.random(0, 9), math.random(1, 99))
end

local function split(accounts, members)
   local source, targets = math.random(accounts), {}
   for i = 1, members do
      local target = math.random(accounts - 1)
      if target >= source then target = target + 1 end
      targets[i] = string.format('{"target_account_id": %d, "share": "1/%d"}', target, members)
   end
   return string.format(
      '{"source_account_id": %d, "amount": "%d.%02d", "targets": [%s]}',
      source, math.random(1, 99), math.random(0, 99), table.concat(targets, ", "))
end

-- A body in pieces; if its members have keys, every second piece is where the counter goes.
local function build(accounts, members)
   if is_split then return { split(accounts, members) } end
   local pieces, text, one = {}, '{"transactions": [', math.random(accounts)
   for i = 1, members do
      text = text .. transfer(accounts, of_one and one or math.random(accounts))
      if member_keys then
         -- Random at the front, as clients' keys are: neighbours in time are not neighbours in the index.
         text = text .. string.format(', "idempotency_key": "%08x-%s-%d-', math.random(0, 0x7fffffff), run, i)
         pieces[#pieces + 1], pieces[#pieces + 2] = text, ""
         text = '"'
      end
      text = text .. (i < members and "}, " or "}]}")
   end
   pieces[#pieces + 1] = text
   return pieces
end

local function next_request()
   count = count + 1
   return built[count % POOL + 1]
end

local function next_request_with_keys()
   count = count + 1
   local pieces = built[count % POOL + 1]
   for place = 2, #pieces, 2 do pieces[place] = count end
   local body = table.concat(pieces)
   local key = string.format("\r\nIdempotency-Key: %08x-%s-%d", math.random(0, 0x7fffffff), run, count)
   return head(body, key) .. body
end

function init(args)
   assert(args[2] == "uniform", "batches are uniform")
   local seed = number
   for i = 1, #args[4] do seed = (seed * 131 + args[4]:byte(i)) % 2147483647 end
   math.randomseed(seed)
   keys, run, members = args[3] == "yes", args[4] .. "-" .. number, tonumber(args[5]:match("%d+"))
   member_keys = keys and args[5]:find("keyed") ~= nil
   is_split, of_one = args[5]:find("split") ~= nil, args[5]:find("of one") ~= nil
   for i = 1, POOL do
      local pieces = build(tonumber(args[1]), members)
      built[i] = keys and pieces or head(pieces[1], "") .. pieces[1]
   end
   request = keys and next_request_with_keys or next_request
end

function response(status, headers, body)
   -- How many it has is counted in the books.
   if status == 201 and body:sub(1, 26) == '{"results":[{"transaction"' then
      right = right + 1
   else
      wrong = wrong + 1
   end
end

function done(summary, latency)
   local units, refused = 0, 0
   for _, thread in ipairs(threads) do
      units = units + thread:get("right") * thread:get("members")
      refused = refused + thread:get("wrong")
   end
   local errors = summary.errors
   io.write(string.format(
      '{"units": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d, "broken": %d}\n',
      units, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      refused, errors.connect + errors.read + errors.write + errors.timeout))
end
