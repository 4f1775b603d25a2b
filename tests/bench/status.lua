-- wrk: GET $BENCH_PATH with the next token of $BENCH_TOKENS each time.
local threads, requests, index = 0, {}, 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init()
  for token in io.lines(os.getenv("BENCH_TOKENS")) do
    requests[#requests + 1] = wrk.format(
      "GET", os.getenv("BENCH_PATH"), { ["x-juno-jwt"] = token })
  end
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
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
