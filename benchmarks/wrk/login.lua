-- Signs in one person after the other, from BENCH_FIRST to BENCH_LAST. For one thread.

dofile(os.getenv("BENCH_REPORT"))

local first, last = tonumber(os.getenv("BENCH_FIRST")), tonumber(os.getenv("BENCH_LAST"))
local password = os.getenv("BENCH_PASSWORD")
local current = first

wrk.method = "POST"
wrk.path = os.getenv("BENCH_PATH")
wrk.headers["Content-Type"] = "application/json"

function request()
  local body = string.format(
    '{"email": "person%d@example.com", "password": "%s"}', current, password)
  current = current < last and current + 1 or first
  return wrk.format(nil, nil, nil, body)
end
