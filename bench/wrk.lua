-- What wrk sends, and how it tells its figures: requests, microseconds, p50, p99, failures.
-- An argument is the size of a value to POST.
function init(args)
  if args[1] then
    wrk.method = "POST"
    wrk.body = string.rep("x", tonumber(args[1]))
  end
end

function done(summary, latency)
  local failed = summary.errors
  print("figures", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    failed.connect + failed.read + failed.write + failed.status + failed.timeout)
end
