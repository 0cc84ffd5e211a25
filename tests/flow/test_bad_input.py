"""Wrong input: the right 4xx with a stable code and the path of the field, no 5xx, and nothing is stored."""
import base64
import http.client
import json
import re
import uuid

import pytest

from platform_client import Api, money, problem, told, wait_for


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("100.00")
    return user


@pytest.fixture(scope="module")
def bob(platform):
    return platform.register("bob")


@pytest.fixture(scope="module", autouse=True)
def nothing_stored(ada, bob, auditor):
    """What there is of the caller, and the number of events in the log, before and after all of these."""
    bob.wallet()

    def head():
        """Of the trail when it has come to rest; where it is behind the other services, that takes longer to see."""
        heads = [auditor.post("audit/verify", {"maxEntries": 1}, expect=200)["headSequence"]
                 for _ in range(20 if ada.platform.one_log else 200)]
        return heads[0] == heads[-1] and heads[0]

    def counts():
        wallets = ada.items("accounts", pageSize=500)
        return [len(wallets), ada.balance(), len(ada.items(f"accounts/{ada.wallet()}/top-ups")),
                len(ada.items("payments", pageSize=500)), ada.get("notifications/preferences"),
                ada.get("users/me")]
    wait_for(lambda: len(ada.items("notifications")) >= 2 and bob.items("notifications"),
             "messages about what went before")
    before, events = counts(), wait_for(head, "quiet")
    yield
    assert counts() == before and wait_for(head, "quiet") == events


def payment_text(ada, bob, **changes):
    body = ada.payment_body(bob, "1.00") | changes
    return json.dumps({name: value for name, value in body.items() if value is not None})


@pytest.mark.parametrize("text", ["{", "}", "nonsense", '{"a":}', '{"a":1,}', "{'a':1}", '{"a":1}{"b":2}',
                                  "[", "\x00", '{"a":NaN}',
                                  '{"a":01}', '{"a":"\\x"}', '{"a":"\n"}', '"unclosed', '{"a":1} x',
                                  '{"a":tru}'])
def test_malformed_json(ada, text):
    problem(post(ada, "payments", text), 400, "malformed_json")


def post(api, path, content, method="POST", content_type="application/json", **headers):
    return api.request(method, path, content=content, headers={"Content-Type": content_type, **headers})


@pytest.mark.parametrize("content", [b'{"description":"\xff"}', b'{"description":"\xc3("}',
                                     b'{"description":"\xed\xa0\x80"}',
                                     b'{"\x80":1}', b'\xef\xbb\xbf\xff{}', b'{"description":"\xc0\xaf"}'])
def test_text_that_is_not_utf8(ada, content):
    problem(post(ada, "payments", content), 400, "malformed_json")


def test_lone_surrogates(ada, bob):
    answer = post(ada, "payments",
                  payment_text(ada, bob).replace('"currency"', '"description":"\\ud800","currency"'))
    assert answer.status_code == 400, told(answer, "expected it to be refused")


@pytest.mark.parametrize("deep", ["[" * 18 + "]" * 18, '{"metadata":' * 17 + "1" + "}" * 17, "[" * 100_000])
def test_deep_nesting(ada, deep):
    problem(post(ada, "payments", deep), 400, "malformed_json")


@pytest.mark.parametrize("text, code, field", [
    ("[]", "invalid_type", ""), ("1", "invalid_type", ""), ('"text"', "invalid_type", ""),
    ("null", "invalid_type", ""),
    ("{}", "required", "payerAccountId"), ("", "required", "payerAccountId"),
    ('{"payerAccountId":17}', "invalid_type", "payerAccountId"),
    ('{"payerAccountId":null}', "invalid_type", "payerAccountId"),
    ('{"payerAccountId":["x"]}', "invalid_type", "payerAccountId"),
    ('{"payerAccountId":"17"}', "invalid_format", "payerAccountId"),
    ('{"payerAccount":"x"}', "unknown_field", "payerAccount"),
    ('{"payer_account_id":"x"}', "unknown_field", "payer_account_id"),
    ('{"description":"a","description":"b"}', "duplicate_field", "description"),
    ('{"metadata":{"a":1}}', "invalid_type", "metadata.a"),
    ('{"metadata":{"a":"1","a":"2"}}', "duplicate_field", "metadata.a"),
    ('{"metadata":[]}', "invalid_type", "metadata"),
    ('{"amount":"1.00 EUR"}', "invalid_amount", "amount"),
    ('{"amount":{"currency":"EUR","value":"1.00","more":1}}', "unknown_field", "amount.more"),
    ('{"status":"COMPLETED"}', "unknown_field", "status"),
])
def test_shapes(ada, text, code, field):
    problem(post(ada, "payments", text), 400, code, field)


@pytest.mark.parametrize("missing, field", [("payerAccountId", "payerAccountId"), ("amount", "amount"),
                                            ("payeeAccountId", "payeeAccountId")])
def test_missing_fields(ada, bob, missing, field):
    code = "payee_required" if missing == "payeeAccountId" else "required"
    problem(post(ada, "payments", payment_text(ada, bob, **{missing: None})), 400, code, field)


@pytest.mark.parametrize("change, code, field", [
    ({"description": "x" * 141}, "too_long", "description"),
    ({"description": "a\0b"}, "invalid_format", "description"),
    ({"metadata": {str(n): "x" for n in range(1001)}}, "too_long", "metadata"),
    ({"metadata": {"": "x"}}, "too_short", "metadata"),
    ({"metadata": {"a": "x" * 1025}}, "too_long", "metadata.a"),
    ({"payeeAccountId": None, "payeeEmail": "no address"}, "invalid_format", "payeeEmail"),
    ({"payeeAccountId": None, "payeeEmail": "a@" + "b" * 260 + ".example"}, "invalid_format", "payeeEmail"),
    ({"payeeAccountId": ""}, "invalid_format", "payeeAccountId"),
    ({"payeeAccountId": "0190c5b2-7e0c-7000-8000-00000000000g"}, "invalid_format", "payeeAccountId"),
    ({"payeeAccountId": "0190c5b27e0c70008000000000000001"}, "invalid_format", "payeeAccountId"),
])
def test_bounds(ada, bob, change, code, field):
    ada.refused(400, code, "POST", "payments", json.loads(payment_text(ada, bob, **change)), field=field)


@pytest.mark.parametrize("amount, code, field", [
    ({"currency": "EUR", "value": 1}, "invalid_amount", "amount.value"),
    ({"currency": "EUR", "value": 1.5}, "invalid_amount", "amount.value"),
    ({"currency": "EUR"}, "invalid_amount", "amount.value"),
    ({"value": "1.00"}, "invalid_amount", "amount.currency"),
    ({"currency": "EURO", "value": "1.00"}, "unknown_currency", "amount.currency"),
    ({"currency": "", "value": "1.00"}, "unknown_currency", "amount.currency"),
    *[({"currency": "EUR", "value": value}, "invalid_amount", "amount.value")
      for value in ("", " ", "1.000", "1,00", "1.", ".5", "+1.00", "01.00", "1e2", "0x1", " 1.00", "1.00 ",
                    "1 000.00",
                    "NaN", "Infinity", "--1", "١.٠٠", "1.0\u0000")],
    *[({"currency": "EUR", "value": value}, "out_of_range", "amount.value")
      for value in ("9" * 23, "9" * 30, "-" + "9" * 30, "92233720368547758.08")],
    ({"currency": "JPY", "value": "1.0"}, "invalid_amount", "amount.value"),
    ({"currency": "EUR", "value": "0"}, "not_positive", "amount.value"),
    ({"currency": "EUR", "value": "-0.01"}, "not_positive", "amount.value"),
    ({"minor": 100, "currency": "EUR"}, "unknown_field", "amount.minor"),
])
def test_amounts(ada, bob, amount, code, field):
    ada.refused(400, code, "POST", "payments", ada.payment_body(bob, "1.00") | {"amount": amount},
                field=field)


@pytest.mark.parametrize("value", ["99999999999.00", "92233720368547758.07", "90000000000.01"])
def test_amounts_beyond_all_bounds(ada, bob, value):
    answer = ada.try_pay(bob, value)
    assert answer.status_code == 400, told(answer, "expected it to be refused")
    assert answer.json()["code"] == "out_of_range"
    assert answer.json()["field"] == "amount.value"


def test_a_body_over_the_limit(ada):
    problem(post(ada, "payments", b'{"description":"' + b"x" * (4 << 20) + b'"}'), 413, "body_too_large")


def test_a_body_in_chunks_over_the_limit(ada):
    def chunks():
        for _ in range(80):
            yield b" " * 65536
    answer = ada.request("POST", "payments", content=chunks(), headers={"Content-Type": "application/json"})
    problem(answer, 413, "body_too_large")


@pytest.mark.parametrize("content_type",
                         ["text/plain", "application/xml", "application/x-www-form-urlencoded",
                                          "multipart/form-data; boundary=x", "application/jsonx", ""])
def test_other_content_types(ada, bob, content_type):
    problem(post(ada, "payments", payment_text(ada, bob), content_type=content_type), 415,
            "unsupported_media_type")


def test_compressed_bodies(ada, bob):
    answer = post(ada, "payments", payment_text(ada, bob), **{"Content-Encoding": "gzip"})
    problem(answer, 415, "unsupported_encoding")


# ---- tokens ----

def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def forged(token, how):
    header, payload, signature = token.split(".")
    own_key = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}}
    return {
        "garbage": "garbage",
        "empty parts": "..",
        "two parts": f"{header}.{payload}",
        "four parts": token + ".x",
        "no signature": f"{header}.{payload}.",
        "another signature": f"{header}.{payload}.{encoded('x' * 48)}",
        "alg none": f"{encoded(decoded(header) | {'alg': 'none'})}.{payload}.",
        "alg None": f"{encoded(decoded(header) | {'alg': 'None'})}.{payload}.{signature}",
        "alg HS256": f"{encoded(decoded(header) | {'alg': 'HS256'})}.{payload}.{signature}",
        "unknown kid": f"{encoded(decoded(header) | {'kid': 'another'})}.{payload}.{signature}",
        "own key": f"{encoded(decoded(header) | own_key)}.{payload}.{signature}",
        "more roles": f"{header}.{encoded(decoded(payload) | {'roles': ['ADMIN']})}.{signature}",
        "longer life": f"{header}.{encoded(decoded(payload) | {'exp': 4102444800})}.{signature}",
        "another user": f"{header}.{encoded(decoded(payload) | {'sub': str(uuid.uuid4())})}.{signature}",
        "changed bit": token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
        "padding": token + "==",
        "very long": token + "A" * 10_000,
        "an API key of nobody": f"mk_{uuid.uuid4()}_{'x' * 43}",
    }[how]


HOW = ["garbage", "empty parts", "two parts", "four parts", "no signature", "another signature", "alg none",
       "alg None", "alg HS256", "unknown kid", "own key", "more roles", "longer life", "another user",
       "changed bit", "padding", "an API key of nobody"]


@pytest.mark.parametrize("how", HOW)
def test_forged_tokens(ada, bob, how):
    api = Api(ada.platform, forged(ada.token, how))
    answer = api.request("POST", "payments", ada.payment_body(bob, "1.00"))
    problem(answer, 401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_very_long_token(ada):
    answer = Api(ada.platform, forged(ada.token, "very long")).request("GET", "users/me")
    assert answer.status_code in (401, 431), told(answer, "expected it to be refused")


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "bearer", "Token x", "x"])
def test_other_authorization_headers(platform, value):
    answer = platform.anonymous().request("GET", "users/me", headers={"Authorization": value})
    problem(answer, 401, "invalid_token")


@pytest.mark.slow
def test_expired_tokens(fresh_platform):
    platform = fresh_platform("user.access_token_ttl=1s")
    user = platform.register("brief")
    answer = wait_for(lambda: (got := user.request("GET", "users/me")).status_code == 401 and got,
                      "end of the token", 5)
    problem(answer, 401, "token_expired")
    pair = user.post("auth/refresh", {"refreshToken": user.refresh_token}, expect=200)
    assert Api(platform, pair["accessToken"]).get("users/me")["id"] == user.id


# ---- other routes ----

EVE = {"email": "eve@example.org", "password": "long enough", "displayName": "Eve"}

@pytest.mark.parametrize("method, path, body, code, field", [
    ("POST", "users", EVE | {"email": "x"}, "invalid_format", "email"),
    ("POST", "users", EVE | {"password": "short"}, "too_short", "password"),
    ("POST", "users", EVE | {"password": "x" * 129}, "too_long", "password"),
    ("POST", "users", EVE | {"displayName": ""}, "required", "displayName"),
    ("POST", "users", {"email": "a@example.org", "password": "long enough"}, "required", "displayName"),
    ("POST", "users", EVE | {"roles": ["ADMIN"]}, "unknown_field", "roles"),
    ("POST", "users", EVE | {"language": "!"}, "invalid_format", "language"),
    ("POST", "users", EVE | {"defaultCurrency": "ZZZ"}, "unknown_currency", "defaultCurrency"),
    ("POST", "auth/login", {"email": "a@example.org"}, "required", "password"),
    ("POST", "auth/refresh", {"refreshToken": "x" * 201}, "too_long", "refreshToken"),
    ("POST", "auth/password", {"currentPassword": "x", "newPassword": "short"}, "too_short", "newPassword"),
    ("PATCH", "users/me", {"id": str(uuid.UUID(int=1))}, "unknown_field", "id"),
    ("PATCH", "users/me", {"displayName": 5}, "invalid_type", "displayName"),
    ("PUT", "notifications/preferences", {"muted": "all"}, "invalid_type", "muted"),
    ("PUT", "notifications/preferences", {"muted": [1]}, "invalid_type", "muted[0]"),
    ("PUT", "notifications/preferences", {"muted": ["x"] * 51}, "too_long", "muted"),
    ("GET", "accounts/not-a-uuid", None, "invalid_format", "id"),
    ("GET", "payments/%FF", None, "invalid_format", "id"),
    ("GET", "payments?pageSize=99999999999999999999", None, "out_of_range", "pageSize"),
    ("GET", "payments?pageSize=1&pageSize=2", None, "duplicate_field", "pageSize"),
    ("GET", "payments?offset=-1", None, "invalid_type", "offset"),
    ("GET", "payments?fields=nonsense", None, "unknown_parameter", "fields"),
    ("DELETE", "sessions/17", None, "invalid_format", "id"),
    ("POST", "api-keys", {"name": "x"}, "required", "scopes"),
])
def test_every_kind_of_route(ada, method, path, body, code, field):
    ada.refused(400, code, method, path, body, field=field)


def test_a_get_has_no_body(ada):
    problem(post(ada, "payments", "{}", "GET"), 400, "unexpected_body")


@pytest.mark.parametrize("method, path", [("POST", "fraud/rules"), ("DELETE", "payments"),
                                          ("PATCH", "accounts"), ("PUT", "users")])
def test_other_verbs(ada, method, path):
    answer = ada.request(method, path, {})
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize("raw, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    (b"nonsense\r\n\r\n", 400), (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404)),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     400),
    (b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
    (b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (414, 431)),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(500)) + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: x\r\nBroken header\r\n\r\n", 400),
])
def test_requests_that_are_not_http(platform, raw, status):
    host, port = platform.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.connect()
    connection.sock.sendall(raw)
    answer = http.client.HTTPResponse(connection.sock)
    answer.begin()
    expected = (status,) if isinstance(status, int) else status
    assert answer.status in expected, answer.read()
    connection.close()


def test_bodies_of_another_type_everywhere(ada):
    """Every route that takes a body refuses lists, numbers, texts and unknown fields with 400."""
    document = ada.get("/openapi.json")
    tried, wrong = 0, []
    for path, verbs in document["paths"].items():
        for method, operation in verbs.items():
            if "requestBody" not in operation or "roles" in operation["x-access"]:
                continue
            tried += 1
            url = re.sub(r"{\w+}", str(uuid.UUID(int=7)), path)
            for content in ("[]", "7", '"x"', "[" * 50, '{"\\u0000":1}', '{"x":{"y":[1,2,{"z":null}]}}'):
                answer = post(ada, url, content, method.upper())
                if answer.status_code != 400:
                    wrong.append((method, path, content, answer.status_code, answer.text))
    assert wrong == [] and tried >= 14


def test_money_is_never_a_number_in_answers(ada):
    assert ada.get(f"accounts/{ada.wallet()}/balance")["available"] == money("100.00")
