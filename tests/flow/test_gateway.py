"""The public edge: entity tags, compression, headers, correlation, verbs, fields, limits, documents."""
import base64
import gzip
import json

import pytest

from platform_client import Api, PASSWORD, new_uuid, problem, told, wait_for


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("100.00")
    return user


@pytest.fixture(scope="module")
def bob(platform):
    return platform.register("bob")


# ---- entity tags ----

def test_unchanged_answers_are_304(ada):
    path = f"accounts/{ada.wallet()}"
    first = ada.request("GET", path)
    tag = first.headers["etag"]
    assert tag.startswith('"') and tag.endswith('"')
    for value in (tag, f'"other", {tag}', "*", "W/" + tag):
        again = ada.request("GET", path, headers={"If-None-Match": value})
        assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
    assert ada.request("GET", path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_changed_answers_have_another_tag(ada):
    before = ada.request("GET", "users/me").headers["etag"]
    ada.patch("users/me", {"displayName": "Ada L."})
    answer = ada.request("GET", "users/me", headers={"If-None-Match": before})
    assert answer.status_code == 200 and answer.headers["etag"] != before


def test_if_match_guards_changes(ada, admin):
    path = f"accounts/{ada.new_wallet()}"
    tag = ada.request("GET", path).headers["etag"]
    limits = {"limits": {"perPayment": {"currency": "EUR", "value": "10.00"}}}
    admin.refused(412, "etag_mismatch", "PUT", path + "/limits", limits,
                  headers={"If-Match": '"0123456789abcdef"'})
    admin.refused(412, "etag_mismatch", "PUT", path + "/limits", limits, headers={"If-Match": '"nonsense"'})
    changed = admin.request("PUT", path + "/limits", limits, headers={"If-Match": tag})
    assert changed.status_code == 200, told(changed, "expected the tag to match")
    assert ada.request("GET", path).headers["etag"] == changed.headers["etag"] != tag
    admin.refused(412, "etag_mismatch", "PUT", path + "/limits", limits, headers={"If-Match": tag})
    assert admin.request("PUT", path + "/limits", limits, headers={"If-Match": "*"}).status_code == 200


def test_if_none_match_guards_changes(ada):
    """RFC 9110 13.1.2: what is there as the header says is not changed."""
    tag = ada.request("GET", "users/me").headers["etag"]
    body = {"displayName": "Ada M."}
    for value in ("*", tag, "W/" + tag):
        ada.refused(412, "etag_matches", "PATCH", "users/me", body, headers={"If-None-Match": value})
    assert ada.request("GET", "users/me").headers["etag"] == tag
    assert ada.request("PATCH", "users/me", body, headers={"If-None-Match": '"other"'}).status_code == 200


# ---- the forms of answers ----

def test_gzip(ada, platform):
    plain = ada.request("GET", "/openapi.json", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and "accept-encoding" in plain.headers["vary"].lower()
    with platform.client.stream("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        packed = b"".join(answer.iter_raw())
    assert gzip.decompress(packed) == plain.content and len(packed) < len(plain.content) / 3
    small = ada.request("GET", "users/me", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in small.headers
    refused = ada.request("GET", "/openapi.json", headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers


def test_lists_are_compressed(ada, bob, platform):
    for _ in range(3):
        ada.pay(bob, "1.00")
    headers = {"Authorization": f"Bearer {ada.token}", "Accept-Encoding": "gzip"}
    answer = platform.client.get("/api/v1/payments", headers=headers)
    assert answer.headers["content-encoding"] == "gzip" and len(answer.json()["payments"]) >= 3


def test_sparse_fields(ada, bob):
    payment = ada.pay(bob, "1.00")
    one = ada.get(f"payments/{payment['id']}", fields="id,status")
    assert one == {"id": payment["id"], "status": "COMPLETED"}
    page = ada.get("payments", fields="id", pageSize=1)
    assert page["payments"] == [{"id": payment["id"]}] and "nextPageToken" in page
    ada.refused(400, "unknown_parameter", "GET", f"payments/{payment['id']}?fields=id,colour", field="fields")
    ada.refused(400, "unknown_parameter", "GET", f"payments/{payment['id']}?fields=refundingMinor",
                field="fields")


def test_internal_fields_stay_inside(ada, bob):
    payment = ada.pay(bob, "1.00")
    assert "counted" not in payment
    for view in (payment, ada.get(f"accounts/{ada.wallet()}"), ada.get(f"accounts/{ada.wallet()}/balance")):
        assert not [name for name in view | view.get("limits", {}) if name.endswith("Minor")]


def test_no_amount_is_a_bare_integer(ada):
    """What has a currency is money, in every answer, request and event that the documents know."""
    document = ada.get("/openapi.json")
    bare = {f"{name}.{field}" for name, schema in document["components"]["schemas"].items()
            for field in schema.get("properties", {}) if field.endswith("Minor")}
    assert bare == set()


def test_created_records_have_a_location(ada):
    answer = ada.request("POST", "accounts", {"currency": "EUR"})
    assert answer.headers["location"] == f"/api/v1/accounts/{answer.json()['id']}"
    assert ada.get(answer.headers["location"]) == answer.json()


def test_security_headers(ada, platform):
    for answer in (ada.request("GET", "users/me"), platform.anonymous().request("GET", "users/me"),
                   platform.anonymous().request("GET", "/nowhere")):
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store" and headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers, "only behind TLS"
        assert "server" not in headers


def test_cross_origin_is_off_by_default(ada):
    answer = ada.request("GET", "users/me", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    preflight = ada.request("OPTIONS", "users/me", headers={"Origin": "https://evil.example",
                                                            "Access-Control-Request-Method": "PATCH"})
    assert not [name for name in preflight.headers if name.startswith("access-control-")]


# ---- correlation ----

def test_correlation_goes_through(ada, bob):
    answer = ada.try_pay(bob, "1.00", headers={"X-Correlation-Id": "order-4711"})
    assert answer.headers["x-correlation-id"] == "order-4711"
    events = wait_for(lambda: ada.items(f"payments/{answer.json()['id']}/events"), "events")
    assert {event["correlationId"] for event in events} == {"order-4711"}


@pytest.mark.parametrize("given", [None, "", "with blank", "x" * 65])
def test_correlation_is_made_when_it_is_missing(platform, given):
    headers = {} if given is None else {"X-Correlation-Id": given}
    answers = [platform.anonymous().request("GET", "users/me", headers=headers) for _ in range(2)]
    ids = {answer.headers["x-correlation-id"] for answer in answers}
    assert len(ids) == 2 and given not in ids


# ---- routes and verbs ----

@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/payments", "/api/v1/payments/", "/api/v1",
                                  "/nowhere", "/api/v1/users/me/x",
                                  "/api/v1//payments"])
def test_routes_that_do_not_exist(platform, path):
    problem(platform.anonymous().request("GET", path), 404, "route_not_found")


def test_other_verbs(ada, platform):
    answer = ada.request("DELETE", "payments")
    problem(answer, 405, "method_not_allowed")
    allowed = {verb.strip() for verb in answer.headers["allow"].split(",")}
    assert {"GET", "HEAD", "POST"} <= allowed and "DELETE" not in allowed
    problem(platform.anonymous().request("POST", "/openapi.json", {}), 405, "method_not_allowed")


def test_head_is_get_without_a_body(ada):
    got, head = ada.request("GET", "users/me"), ada.request("HEAD", "users/me")
    assert head.status_code == 200 and head.content == b""
    assert head.headers["etag"] == got.headers["etag"]
    assert head.headers["content-length"] == got.headers["content-length"]
    assert ada.request("HEAD", f"payments/{new_uuid()}").status_code == 404


def test_options_says_what_a_route_takes(platform):
    answer = platform.anonymous().request("OPTIONS", "payments")
    assert answer.status_code == 204 and "POST" in answer.headers["allow"]


def test_snake_case_belongs_inside(ada):
    ada.refused(400, "unknown_parameter", "GET", "payments?page_size=5", field="page_size")


# ---- documents ----

def test_the_openapi_document_is_valid(platform):
    from openapi_spec_validator import OpenAPIV31SpecValidator, validate
    document = platform.anonymous().get("/openapi.json")
    validate(document, cls=OpenAPIV31SpecValidator)
    assert document["openapi"].startswith("3.1") and len(document["paths"]) >= 30
    names = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    assert len(names) == len(set(names))


def test_answers_are_as_the_document_says(platform, ada, bob, support):
    """Every GET that the test has an id for answers what its schema says, nothing more and nothing less."""
    from jsonschema import Draft202012Validator
    document = platform.anonymous().get("/openapi.json")
    payment = ada.pay(bob, "1.00")
    ids = {"/accounts/": ada.wallet(), "/payments/": payment["id"],
           "/transactions/": payment["transactionId"], "/users/": ada.id}
    tried = 0
    for path, verbs in document["paths"].items():
        place = next((place for place in ids if f"/api/v1{place}{{" in path), None)
        if "get" not in verbs or path.count("{") > 1 or ("{" in path and place is None):
            continue
        if "roles" in verbs["get"]["x-access"] and "{" not in path:
            continue
        url = path if place is None else path[:path.index("{")] + ids[place] + path[path.index("}") + 1:]
        query = f"?accountId={ada.wallet()}" if url.endswith("/transactions") else ""
        answer = ada.get(url + query)
        schema = verbs["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        validator = Draft202012Validator(schema | {"components": document["components"]})
        errors = list(validator.iter_errors(answer))
        assert not errors, f"{path}: {errors[0].message} at {list(errors[0].absolute_path)}"
        tried += 1
    assert tried >= 12


def test_the_document_is_cached(platform):
    anonymous = platform.anonymous()
    tag = anonymous.request("GET", "/openapi.json").headers["etag"]
    assert anonymous.request("GET", "/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_the_reference_page_needs_nobody_else(platform):
    answer = platform.anonymous().request("GET", "/docs")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert "connect-src 'self'" in answer.headers["content-security-policy"]
    for far in ('src="http', "src='http", '<link rel="stylesheet"', "@import", "cdn."):
        assert far not in answer.text
    root = platform.anonymous().request("GET", "/")
    assert root.status_code == 302 and root.headers["location"] == "/docs"


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_keys_and_tokens(platform, ada):
    answer = platform.anonymous().request("GET", "/.well-known/jwks.json")
    assert "max-age" in answer.headers["cache-control"]
    keys = {key["kid"]: key for key in answer.json()["keys"]}
    for key in keys.values():
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")
        assert len(key["x"]) == 43 and "d" not in key, "never the private half"
    header, payload = (decoded(part) for part in ada.token.split(".")[:2])
    assert header["alg"] == "EdDSA" and header["kid"] in keys
    assert payload["sub"] == ada.id and payload["roles"] == ["USER"]
    assert payload["exp"] - payload["iat"] == 900
    assert not {"email", "displayName", "name"} & set(payload)


# ---- rate limits ----

@pytest.mark.slow
def test_rate_limits(fresh_platform):
    platform = fresh_platform("gateway.rate_limits=on", "gateway.rate.payment=1/m burst 2",
                              "gateway.rate.auth=1000/s",
                              "gateway.rate.read=1000/s burst 1000")
    ada, bob = platform.register("ada"), platform.register("bob")
    bodies = [ada.payment_body(bob, "1.00") for _ in range(3)]
    answers = [ada.request("POST", "payments", body) for body in bodies]
    assert [answer.status_code for answer in answers] == [402, 402, 429]
    assert [answer.headers["ratelimit-limit"] for answer in answers] == ["2"] * 3
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    problem(answers[2], 429, "rate_limited")
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert int(answers[2].headers["ratelimit-reset"]) >= int(answers[2].headers["retry-after"])
    assert ada.request("GET", "payments").status_code == 200, "another class has its own"
    assert bob.try_pay(ada, "1.00").status_code == 402, "another user, too"


@pytest.mark.slow
def test_signing_in_is_limited_by_address(fresh_platform):
    platform = fresh_platform("gateway.rate_limits=on", "gateway.rate.auth=1/m burst 3")
    anonymous = platform.anonymous()
    body = {"email": "nobody@example.org", "password": PASSWORD}
    codes = [anonymous.request("POST", "auth/login", body | {"email": f"{n}@example.org"}).status_code
             for n in range(4)]
    assert codes == [401, 401, 401, 429]
    guessing = [Api(platform, f"guess{n}").request("GET", "users/me").status_code for n in range(3)]
    assert set(guessing) == {401}


@pytest.mark.slow
def test_cross_origin_when_it_is_allowed(fresh_platform):
    platform = fresh_platform("gateway.cors_origins=https://shop.example")
    anonymous = platform.anonymous()
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    preflight = anonymous.request("OPTIONS", "payments", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert "idempotency-key" in preflight.headers["access-control-allow-headers"].lower()
    other = anonymous.request("GET", "users/me", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers and "origin" in other.headers["vary"].lower()
