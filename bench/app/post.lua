-- wrk: POST an order of 1 KB.
local lines = {}
for n = 1, 12 do
  lines[n] = string.format('{"sku":"item-%04d","quantity":%d,"note":"a line of an order"}', n, n)
end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"id":"0b0f6c1e","lines":[' .. table.concat(lines, ",") .. "]}"
