-- wrk's script: POSTs holds among accounts 1 .. n and captures each once, and prints what it counted as one
-- line of JSON. A unit is a pair: a hold, and the capture that was answered 201.
--
--     wrk ... -s hold.lua URL -- ACCOUNTS uniform no RUN
--
-- wrk calls `request` and `response` for a thread, not for a connection. So a connection captures the hold
-- that has waited longest, whoever placed it, and places one if none waits: there are never more open holds
-- than connections, and requests are holds and captures by halves.

local POOL = 16384 -- holds built; they are sent round and round

local threads = {}

function setup(thread)
   threads[#threads + 1] = thread
   thread:set("number", #threads)
end

captures, wrong = 0, 0 -- answers; `done` asks for them, so they are not local

local holds, before, after, count = {}, "", "", 0
local waiting, first, last = {}, 1, 0 -- ids of holds to be captured

local function head(path, body)
   return "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host
      .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function init(args)
   assert(args[2] == "uniform" and args[3] == "no", "holds are uniform and without keys")
   local accounts, seed = tonumber(args[1]), number
   for i = 1, #args[4] do seed = (seed * 131 + args[4]:byte(i)) % 2147483647 end
   math.randomseed(seed)
   for i = 1, POOL do
      local source, target = math.random(accounts), math.random(accounts - 1)
      if target >= source then target = target + 1 end
      holds[i] = head(wrk.path, string.format(
         '{"source_account_id": %d, "target_account_id": %d, "amount": "%d.%02d", "hold": {}}',
         source, target, math.random(0, 9), math.random(1, 99)))
   end
   before, after = head(wrk.path .. "/ID/capture", "{}"):match("^(.*)ID(.*)$")
end

function request()
   if first <= last then
      local id = waiting[first]
      waiting[first] = nil
      first = first + 1
      return before .. id .. after
   end
   count = count + 1
   return holds[count % POOL + 1]
end

function response(status, headers, body)
   local id, kind = body:match('^{"id":(%d+),"kind":"(%l+)"')
   if status ~= 201 or not (kind == "hold" or kind == "capture") then
      wrong = wrong + 1
   elseif kind == "hold" then
      last = last + 1
      waiting[last] = id
   else
      captures = captures + 1
   end
end

function done(summary, latency)
   local units, refused = 0, 0
   for _, thread in ipairs(threads) do
      units = units + thread:get("captures")
      refused = refused + thread:get("wrong")
   end
   local errors = summary.errors
   io.write(string.format(
      '{"units": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d, "broken": %d}\n',
      units, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      refused, errors.connect + errors.read + errors.write + errors.timeout))
end
