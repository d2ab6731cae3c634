-- Spends refresh tokens: a chain for each connection, of which each thread has one.
--
-- BENCH_TOKENS names a file with a token a line, the first one of each thread's chain;
-- BENCH_FIELD the member that holds the token, in request and answer alike. `right` are
-- the answers with a new token: the chain goes on with it.

local tokens = {}
for line in io.lines(os.getenv("BENCH_TOKENS")) do table.insert(tokens, line) end

function prepare(thread, number)
  thread:set("token", tokens[number])
end

dofile(os.getenv("BENCH_REPORT"))

local field = os.getenv("BENCH_FIELD")
local pattern = '"' .. field .. '":%s*"([^"]+)"'
right, wrong = 0, 0

wrk.method = "POST"
wrk.path = os.getenv("BENCH_PATH")
wrk.headers["Content-Type"] = "application/json"

function request()
  return wrk.format(nil, nil, nil, string.format('{"%s": "%s"}', field, token or ""))
end

function response(status, headers, body)
  local new = body:match(pattern)
  if status == 200 and new and new ~= token then
    token, right = new, right + 1
  else
    wrong = wrong + 1
  end
end
