-- What every scenario reports: one line of JSON for the runner.
--
-- Each thread has a Lua state of its own; `setup` collects them, so that `done` can ask
-- each for the `wrong` and `right` that a script may count.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  if prepare then prepare(thread, #threads) end
end

local function sum(name)
  local total = 0
  for _, thread in ipairs(threads) do
    total = total + (tonumber(thread:get(name)) or 0)
  end
  return total
end

function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"answers": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d,'
      .. ' "lost": %d, "wrong": %d, "right": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, lost, sum("wrong"), sum("right")))
end
