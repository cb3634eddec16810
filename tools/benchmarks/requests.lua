-- What wrk sends. BENCH_REQUESTS names a file with one request a line: method, path, headers, body, apart
-- by tabs; headers are Name=value, apart by "|". Lines are taken in turn, each thread starting elsewhere;
-- {n} in a body becomes a number that no other request of the run has. done() prints one line of JSON.

local lines, threads = {}, 0
local unique = os.getenv("BENCH_UNIQUE") or "0"

local function read_lines()
   for line in io.lines(os.getenv("BENCH_REQUESTS")) do
      local method, path, headers, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
      local fields = {}
      for name, value in headers:gmatch("([^|=]+)=([^|]*)") do
         fields[name] = value
      end
      lines[#lines + 1] = {method = method, path = path, headers = fields, body = body}
   end
end

function setup(thread)
   threads = threads + 1
   thread:set("number", threads)
end

function init(args)
   read_lines()
   local fixed = {}
   local unsteady = #lines > 1
   for index, line in ipairs(lines) do
      local body = line.body ~= "" and line.body or nil
      unsteady = unsteady or (body ~= nil and body:find("{n}", 1, true) ~= nil)
      fixed[index] = wrk.format(line.method, line.path, line.headers, body)
   end
   if not unsteady then
      -- The same bytes every time: wrk then asks no Lua for them.
      wrk.method, wrk.path, wrk.headers = lines[1].method, lines[1].path, lines[1].headers
      wrk.body = lines[1].body ~= "" and lines[1].body or nil
      return
   end
   local turn = (tonumber(number) or 1) * math.floor(#lines / 2)
   local count = 0
   request = function()
      turn = turn + 1
      local index = turn % #lines + 1
      local line = lines[index]
      if not line.body:find("{n}", 1, true) then
         return fixed[index]
      end
      count = count + 1
      local body = line.body:gsub("{n}", unique .. "-" .. tostring(number) .. "-" .. count)
      return wrk.format(line.method, line.path, line.headers, body)
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      'RESULT {"requests": %d, "micros": %d, "bytes": %d, "p50": %d, "p99": %d, "max": %d,'
      .. ' "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
      summary.requests, summary.duration, summary.bytes,
      latency:percentile(50), latency:percentile(99), latency.max,
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
