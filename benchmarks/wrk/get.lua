-- Reads BENCH_PATH, as whoever BENCH_TOKEN is of.

dofile(os.getenv("BENCH_REPORT"))

local token = os.getenv("BENCH_TOKEN")

wrk.path = os.getenv("BENCH_PATH")
if token ~= "" then wrk.headers["Authorization"] = "Bearer " .. token end
