-- wrk's script: POSTs transfers among accounts 1 .. n, and prints what it counted as one line of JSON.
--
--     wrk ... -s transfer.lua URL -- ACCOUNTS DISTRIBUTION KEYS RUN LATER TOKENS NAMES
--
-- DISTRIBUTION is uniform, zipf (exponent 1, both sides) or hot (all to account 1). KEYS is yes or no.
-- RUN is a word unlike that of any other run against the same database: with it no key comes twice.
-- LATER is `later`, and then each asks with Prefer: respond-async, or empty.
-- TOKENS is a file with a bearer token in each line, or empty. Each token has an equal part of the accounts, in
-- order, and pays among these only.
-- NAMES is `names`, and then accounts are asked for by their names, users:1 .. users:n; or empty.
-- wrk shares the cores with what it measures, so every request is built before the first is sent; with
-- keys, all but a counter in the middle.

local POOL = 16384      -- transfers built, or 65536 among more than 100,000 accounts; they are sent round and round
local QUANTILES = 262144 -- of the Zipf distribution; the rarest of 10,000 accounts has two or three

local threads = 0

function setup(thread)
   threads = threads + 1
   thread:set("number", threads)
end

local function zipf(accounts)
   local total = 0
   for rank = 1, accounts do total = total + 1 / rank end
   local table_, sum, filled = {}, 0, 0
   for rank = 1, accounts do
      sum = sum + 1 / rank
      local upto = math.floor(sum / total * QUANTILES + 0.5)
      while filled < upto do
         filled = filled + 1
         table_[filled] = rank
      end
   end
   return function() return table_[math.random(filled)] end
end

local function sampler(distribution, accounts)
   if distribution == "zipf" then return zipf(accounts) end
   return function() return math.random(accounts) end
end

local function other(account, sample)
   local one = sample()
   while one == account do one = sample() end
   return one
end

local before, after, size, count = {}, {}, 0, 0

local function bearers(path)
   if path == "" then return { "" } end
   local found = {}
   for token in io.lines(path) do found[#found + 1] = "\r\nAuthorization: Bearer " .. token end
   return found
end

local BY_ID = '{"source_account_id": %d, "target_account_id": %d, "amount": "%d.%02d"}'
local BY_NAME = '{"source": "users:%d", "target": "users:%d", "amount": "%d.%02d"}'

local function build(accounts, distribution, key, headers, bearer, form)
   if accounts > 100000 then POOL = 65536 end
   local part = math.floor(accounts / #bearer)
   local sample = sampler(distribution, part)
   for i = 1, POOL do
      local whose = i % #bearer
      local first = whose * part
      local target = distribution == "hot" and 1 or sample()
      local body = string.format(
         form, first + other(target, sample), first + target, math.random(0, 9), math.random(1, 99))
      before[i] = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host
         .. "\r\nContent-Type: application/json" .. headers .. bearer[whose + 1] .. "\r\nContent-Length: " .. #body
      after[i] = "\r\n\r\n" .. body
      if key then
         -- Random at the front, as clients' keys are: neighbours in time are not neighbours in the index.
         before[i] = before[i] .. string.format(
            "\r\nIdempotency-Key: %08x-%s-", math.random(0, 0x7fffffff), key)
      else
         before[i] = before[i] .. after[i]
      end
   end
   size = POOL
end

local function next_request()
   count = count + 1
   return before[count % size + 1]
end

local function next_request_with_key()
   count = count + 1
   local i = count % size + 1
   return before[i] .. count .. after[i]
end

function init(args)
   local seed = number
   for i = 1, #args[4] do seed = (seed * 131 + args[4]:byte(i)) % 2147483647 end
   math.randomseed(seed)
   local keys = args[3] == "yes"
   local headers = args[5] == "later" and "\r\nPrefer: respond-async" or ""
   build(tonumber(args[1]), args[2], keys and args[4] .. "-" .. number, headers, bearers(args[6]), args[7] == "names" and BY_NAME or BY_ID)
   request = keys and next_request_with_key or next_request
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"units": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
