-- wrk: payments between wallets. MICROPAY_BENCH_FILE has a line "token account" a wallet;
-- MICROPAY_BENCH_MERCHANT, when it is set, is the wallet that everybody pays. Each request has an idempotency
-- key of its own; what is not 201 is counted by wrk as "Non-2xx" (402, 409) and fails the bench.
local thread_count = 0
function setup(thread)
  thread:set("seed", thread_count)
  thread_count = thread_count + 1
end

local tokens, accounts = {}, {}
local merchant, prefix, counter = nil, "", 0

function init(args)
  for line in io.lines(os.getenv("MICROPAY_BENCH_FILE")) do
    local token, account = line:match("(%S+) (%S+)")
    tokens[#tokens + 1], accounts[#accounts + 1] = token, account
  end
  merchant = os.getenv("MICROPAY_BENCH_MERCHANT")
  local random = io.open("/dev/urandom", "rb")
  local bytes = random:read(8)
  random:close()
  for i = 1, 8 do prefix = prefix .. string.format("%02x", bytes:byte(i)) end
  math.randomseed(bytes:byte(1) * 65536 + bytes:byte(2) * 256 + bytes:byte(3) + seed)
end

function request()
  counter = counter + 1
  local payer = math.random(#accounts)
  local payee = merchant
  while payee == nil or payee == accounts[payer] do
    payee = accounts[math.random(#accounts)]
  end
  local body = string.format(
    '{"payerAccountId":"%s","payeeAccountId":"%s","amount":{"currency":"EUR","value":"0.01"},' ..
    '"description":"bench"}',
    accounts[payer], payee)
  return wrk.format("POST", "/api/v1/payments", {
    ["Authorization"] = "Bearer " .. tokens[payer],
    ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = prefix .. counter,
  }, body)
end
