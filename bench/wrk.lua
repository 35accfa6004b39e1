-- What wrk sends, and how it tells its figures: requests, microseconds, p50, p99, failures, answers over 399.
-- Arguments: the method, the size of a body, and whether the clients of one thread differ from the others'.
local threads = 0

function setup(thread)
  thread:set("client", threads)
  threads = threads + 1
end

function init(args)
  wrk.method = args[1]
  if args[2] ~= "0" then
    wrk.body = string.rep("x", tonumber(args[2]))
  end
  if args[3] == "differ" then
    wrk.headers["User-Agent"] = "client " .. client
  end
end

function done(summary, latency)
  local failed = summary.errors
  print("figures", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    failed.connect + failed.read + failed.write + failed.timeout, failed.status)
end
