-- wrk: sends the requests of $BENCH_REQUESTS in turn. The file's format is
-- that of load.cc: each request after its size in four bytes, least first.
local threads, requests, index = 0, {}, 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init()
  local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
  while true do
    local size = file:read(4)
    if not size then break end
    local a, b, c, d = size:byte(1, 4)
    requests[#requests + 1] = file:read(a + 256 * (b + 256 * (c + 256 * d)))
  end
  file:close()
  -- Each thread begins elsewhere.
  index = number * math.floor(#requests / 2)
end

function request()
  index = index % #requests + 1
  return requests[index]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"us":%d,"bad":%d,"p50":%d,"p99":%d,"p999":%d}\n',
    summary.requests, summary.duration,
    errors.status + errors.connect + errors.read + errors.write +
      errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
