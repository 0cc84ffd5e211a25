"""Registration, signing in, sessions, passwords, roles, API keys."""
import base64
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from platform_client import Api, PASSWORD, User, new_uuid, problem, unique, wait_for


@pytest.fixture(scope="module")
def ada(platform):
    return platform.register("ada")


def signed_in_again(user):
    """The same user in another session."""
    return User(user.platform, user.email, user.password, user.id).login()


def works(api):
    return api.request("GET", "users/me").status_code == 200


def test_registering_opens_a_wallet(platform):
    email = f"{unique('New')}@Example.org"
    body = {"email": email, "password": PASSWORD, "displayName": "Nina", "defaultCurrency": "USD",
            "language": "de"}
    made = platform.anonymous().post("users", body, expect=201)
    assert made["email"] == email.lower()
    assert (made["displayName"], made["language"]) == ("Nina", "de")
    assert (made["status"], made["roles"]) == ("ACTIVE", ["USER"])
    assert "password" not in str(made).lower() and "hash" not in str(made).lower()
    user = User(platform, email, PASSWORD).login()
    assert user.get("users/me") == made
    wallets = wait_for(lambda: user.items("accounts"), "first wallet")
    assert len(wallets) == 1 and wallets[0]["userId"] == made["id"]
    assert (wallets[0]["currency"], wallets[0]["status"]) == ("USD", "ACTIVE")
    assert user.balance(wallets[0]["id"]) == ("0.00", "0.00")


@pytest.mark.parametrize("password", ["1234567890", "password12", " " * 10, "Passw0rd2026"])
def test_passwords_that_are_tried_first(platform, ada, password):
    body = {"email": f"{unique()}@example.org", "password": password, "displayName": "Eve"}
    platform.anonymous().refused(400, "password_too_common", "POST", "users", body, field="password")
    change = {"currentPassword": ada.password, "newPassword": password}
    ada.refused(400, "password_too_common", "POST", "auth/password", change, field="newPassword")


def test_one_password_from_two_keyboards(platform):
    body = {"email": f"{unique()}@example.org", "password": "contrase\u00f1a larga", "displayName": "Eve"}
    platform.anonymous().post("users", body, expect=201)
    assert works(User(platform, body["email"], "contrasen\u0303a larga").login())


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_an_address_registers_once(platform, ada, change):
    body = {"email": change(ada.email), "password": "another password", "displayName": "Eve"}
    platform.anonymous().refused(409, "email_taken", "POST", "users", body, field="email")
    assert works(signed_in_again(ada))


def test_login_gives_tokens(ada):
    pair = ada.post("auth/login", {"email": ada.email.upper(), "password": ada.password}, expect=200)
    assert pair["tokenType"] == "Bearer" and pair["expiresIn"] == 900
    assert pair["accessToken"].count(".") == 2 and pair["refreshToken"]
    assert Api(ada.platform, pair["accessToken"]).get("users/me")["id"] == ada.id


def test_wrong_password_and_unknown_user_look_the_same(platform):
    user = platform.register("same")
    anonymous = platform.anonymous()
    known = anonymous.refused(401, "invalid_credentials", "POST", "auth/login",
                              {"email": user.email, "password": "not the password"})
    unknown = anonymous.refused(401, "invalid_credentials", "POST", "auth/login",
                                {"email": f"{unique()}@example.org", "password": "not the password"})
    for document in (known, unknown):
        document.pop("correlationId")
    assert known == unknown


def fail_until_delayed(anonymous, email):
    """Five tries with a wrong password, then one more; gives the sixth answer."""
    body = {"email": email, "password": "not the password"}
    for _ in range(5):
        anonymous.refused(401, "invalid_credentials", "POST", "auth/login", body)
    return anonymous.request("POST", "auth/login", body)


def test_failed_sign_ins_have_to_wait(platform):
    user, anonymous = platform.register("forgetful"), platform.anonymous()
    delayed = fail_until_delayed(anonymous, user.email)
    problem(delayed, 429, "sign_in_delayed")
    assert 1 <= int(delayed.headers["retry-after"]) <= 2
    # The right password waits as well.
    right = {"email": user.email, "password": user.password}
    wrong = right | {"password": "not the password"}
    anonymous.refused(429, "sign_in_delayed", "POST", "auth/login", right)
    wait_for(lambda: anonymous.request("POST", "auth/login", wrong).status_code == 401, "end of the delay", 5)
    longer = anonymous.request("POST", "auth/login", wrong)
    assert int(longer.headers["retry-after"]) == 2 and problem(longer, 429, "sign_in_delayed")
    # A success ends it all: the next failure waits for nothing.
    wait_for(lambda: anonymous.request("POST", "auth/login", right).status_code == 200, "end of the delay", 5)
    for _ in range(2):
        anonymous.refused(401, "invalid_credentials", "POST", "auth/login", wrong)
    assert works(user.login())


def test_a_stranger_keeps_nobody_out(platform):
    """His wrong passwords are counted where he is; the owner signs in from where he is, and changes his password."""
    user = platform.register("owner")
    with httpx.Client(base_url=platform.url, transport=httpx.HTTPTransport(local_address="127.0.0.2", verify=False),
                      trust_env=False, timeout=30) as elsewhere:
        body = {"email": user.email, "password": "not the password"}
        codes = [elsewhere.post("/api/v1/auth/login", json=body).status_code for _ in range(6)]
        assert codes == [401] * 5 + [429]
        right = elsewhere.post("/api/v1/auth/login", json=body | {"password": user.password})
        problem(right, 429, "sign_in_delayed")
    assert works(user.login())
    change = {"currentPassword": user.password, "newPassword": "an entirely new one"}
    user.post("auth/password", change, expect=204)


def test_an_unknown_address_has_to_wait_the_same(platform):
    problem(fail_until_delayed(platform.anonymous(), f"{unique()}@example.org"), 429, "sign_in_delayed")


def test_refresh_rotates_and_reuse_ends_the_family(ada):
    session = signed_in_again(ada)
    first = session.refresh_token
    second = session.post("auth/refresh", {"refreshToken": first}, expect=200)
    rotated = Api(ada.platform, second["accessToken"])
    assert second["refreshToken"] != first and works(rotated)
    third = session.post("auth/refresh", {"refreshToken": second["refreshToken"]}, expect=200)
    ada.refused(401, "token_reused", "POST", "auth/refresh", {"refreshToken": first})
    ada.refused(401, "invalid_refresh_token", "POST", "auth/refresh",
                {"refreshToken": third["refreshToken"]})
    for api in (session, rotated):
        wait_for(lambda: not works(api), "end of the access token")
        api.refused(401, "invalid_token", "GET", "users/me")
    assert works(ada), "another session of the user goes on"


def test_two_tabs_and_a_lost_answer_get_the_same_successor(ada):
    session = signed_in_again(ada)
    body = {"refreshToken": session.refresh_token}
    with ThreadPoolExecutor(8) as tabs:
        pairs = list(tabs.map(lambda _: Api(ada.platform).post("auth/refresh", body, expect=200), range(8)))
    assert len({pair["refreshToken"] for pair in pairs}) == 1
    assert all(works(Api(ada.platform, pair["accessToken"])) for pair in pairs)
    session.post("auth/refresh", {"refreshToken": pairs[0]["refreshToken"]}, expect=200)


def test_a_reuse_window_of_nothing(fresh_platform):
    platform = fresh_platform("user.refresh_reuse_window=0s")
    user = platform.register("strict", prove=False)
    body = {"refreshToken": user.refresh_token}
    user.post("auth/refresh", body, expect=200)
    user.refused(401, "token_reused", "POST", "auth/refresh", body)


def test_a_forged_refresh_token_ends_nobodys_session(ada):
    session = signed_in_again(ada)
    newest = max(one["id"] for one in ada.items("sessions"))
    for size in (32, 64):
        token = base64.urlsafe_b64encode(uuid.UUID(newest).bytes + bytes(size)).decode().rstrip("=")
        session.refused(401, "invalid_refresh_token", "POST", "auth/refresh", {"refreshToken": token})
        session.post("auth/logout", {"refreshToken": token}, expect=204)
    assert works(session)
    session.post("auth/refresh", {"refreshToken": session.refresh_token}, expect=200)


@pytest.mark.parametrize("token", ["x", "AAAA" * 16, "not base64 at all!", "A" * 200])
def test_refresh_tokens_of_nobody(platform, token):
    platform.anonymous().refused(401, "invalid_refresh_token", "POST", "auth/refresh",
                                 {"refreshToken": token})


def test_logout_ends_the_session(ada):
    session = signed_in_again(ada)
    session.post("auth/logout", {"refreshToken": session.refresh_token}, expect=204)
    ada.refused(401, "invalid_refresh_token", "POST", "auth/refresh", {"refreshToken": session.refresh_token})
    wait_for(lambda: not works(session), "end of the access token")
    session.post("auth/logout", {"refreshToken": session.refresh_token}, expect=204,
                 headers={"Authorization": ""})


def test_sessions_are_listed_and_revoked(platform):
    user = platform.register("sessions")
    laptop, phone = signed_in_again(user), signed_in_again(user)
    listed = {session["id"]: session["status"] for session in user.items("sessions")}
    assert len(listed) == 3 and set(listed.values()) == {"ACTIVE"}
    assert "refreshHash" not in user.items("sessions")[0]
    newest = max(listed)  # ids are UUIDv7
    user.delete(f"sessions/{newest}")
    wait_for(lambda: not works(phone), "end of the revoked session's access token")
    phone.refused(401, "invalid_refresh_token", "POST", "auth/refresh", {"refreshToken": phone.refresh_token})
    assert works(laptop) and works(user)
    assert {session["id"]: session["status"] for session in user.items("sessions")}[newest] == "REVOKED"
    user.refused(404, "not_found", "DELETE", f"sessions/{new_uuid()}")


def test_the_oldest_of_too_many_sessions_ends(platform):
    user = platform.register("many")
    first = Api(platform, user.token)
    for _ in range(20):
        user.login()
    wait_for(lambda: not works(first), "end of the oldest session")
    assert works(user)
    statuses = [session["status"] for session in user.items("sessions", pageSize=50)]
    assert sorted(statuses) == ["ACTIVE"] * 20 + ["REVOKED"]


def test_changing_the_password(platform):
    user = platform.register("changer")
    other = signed_in_again(user)
    body = {"currentPassword": "not the password", "newPassword": "a new password"}
    user.refused(403, "invalid_credentials", "POST", "auth/password", body, field="currentPassword")
    user.post("auth/password", body | {"currentPassword": user.password}, expect=204)
    assert works(user), "the session that changed it goes on"
    wait_for(lambda: not works(other), "end of the other session")
    old = {"email": user.email, "password": user.password}
    user.refused(401, "invalid_credentials", "POST", "auth/login", old)
    user.password = "a new password"
    assert works(user.login())


def test_profile_changes_keep_what_is_left_out(platform):
    user = platform.register("profile", language="de")
    before = user.get("users/me")
    changed = user.patch("users/me", {"displayName": "Grace"})
    assert changed == user.get("users/me")
    assert changed | {"updatedAt": before["updatedAt"]} == before | {"displayName": "Grace"}
    assert changed["updatedAt"] > before["updatedAt"]


@pytest.mark.parametrize("nothing", ["", None])
def test_a_profile_field_is_cleared(platform, nothing):
    """RFC 7396: null takes a member away. A language may be missing, a name may not."""
    user = platform.register("cleared", language="de", prove=False)
    assert "language" not in user.patch("users/me", {"language": nothing})
    assert "language" not in user.get("users/me")
    answer = user.request("PATCH", "users/me", {"displayName": nothing})
    assert answer.status_code == 400 and answer.json()["field"] == "displayName"
    assert user.get("users/me")["displayName"] == "Cleared"


def test_characters_are_counted_not_bytes(ada):
    assert ada.patch("users/me", {"displayName": "\u00fc" * 100})["displayName"] == "\u00fc" * 100
    ada.refused(400, "too_long", "PATCH", "users/me", {"displayName": "\u00fc" * 101}, field="displayName")


def test_roles_are_given_by_administrators(platform, admin):
    user = platform.register("helper")
    body = {"roles": ["SUPPORT"], "reason": "works here now"}
    assert admin.put(f"users/{user.id}/roles", body)["roles"] == ["SUPPORT"]
    wait_for(lambda: not works(user), "end of the token with the old roles")
    assert user.login().items("users", email=user.email)[0]["id"] == user.id
    admin.refused(400, "required", "PUT", f"users/{user.id}/roles", {"roles": ["USER"]}, field="reason")
    admin.refused(400, "invalid_format", "PUT", f"users/{user.id}/roles",
                  {"roles": ["KING"], "reason": "long live"},
                  field="roles[0]")
    admin.refused(404, "not_found", "PUT", f"users/{new_uuid()}/roles", body)


def test_staff_finds_users(ada, support):
    found = support.items("users", email=ada.email)
    assert [user["id"] for user in found] == [ada.id]
    assert support.get(f"users/{ada.id}") == found[0] == ada.get(f"users/{ada.id}")
    page = support.get("users", pageSize=2)
    assert len(page["users"]) == 2 and page["nextPageToken"]
    times = [user["createdAt"] for user in support.items("users", pageSize=20)]
    assert times == sorted(times, reverse=True)


def test_api_keys(platform, ada, admin):
    made = admin.post("api-keys", {"name": "reader", "scopes": ["ledger:read"]}, expect=201)
    key = Api(platform, made["secret"])
    assert made["secret"].startswith("mk_") and "secretHash" not in made["apiKey"]
    key.refused(404, "not_found", "GET", f"ledger/transfers/{new_uuid()}")
    key.refused(403, "forbidden", "POST", "ledger/transfers", {"transfers": []})
    assert made["secret"] not in str(admin.items("api-keys"))
    admin.delete(f"api-keys/{made['apiKey']['id']}")
    wait_for(lambda: key.request("GET", f"ledger/transfers/{new_uuid()}").status_code == 401,
             "end of the key")
    Api(platform, made["secret"][:-2] + "xx").refused(401, "invalid_token", "GET", "users/me")
    ada.refused(403, "scope_not_allowed", "POST", "api-keys", {"name": "x", "scopes": ["ledger:write"]},
                field="scopes[0]")
    ada.refused(400, "unknown_scope", "POST", "api-keys", {"name": "x", "scopes": ["everything"]},
                field="scopes[0]")


def test_api_keys_pay_and_read_payments(platform):
    """In their scopes, and for their own user only."""
    ada, bob = platform.register("ada"), platform.register("bob")
    ada.top_up("10.00")
    bob.top_up("10.00")
    reader, writer = (Api(platform,
                          ada.post("api-keys", {"name": scope, "scopes": [scope]}, expect=201)["secret"])
                      for scope in ("payments:read", "payments:write"))
    body = ada.payment_body(bob, "1.00")
    payment = writer.post("payments", body, expect=201)
    assert payment["status"] == "COMPLETED" and payment["payerUserId"] == ada.id
    assert reader.get(f"payments/{payment['id']}")["id"] == payment["id"]
    story = reader.items(f"payments/{payment['id']}/events")
    assert story[0]["actor"].startswith("key:")  # the trail tells a key from its user
    reader.refused(403, "forbidden", "POST", "payments", body)
    writer.refused(403, "forbidden", "GET", "payments")
    writer.refused(404, "not_found", "POST", "payments", bob.payment_body(ada, "1.00"))
    assert bob.balance() == ("11.00", "0.00")
    others = bob.pay(platform.register("carol"), "1.00")
    assert [one["id"] for one in reader.items("payments")] == [payment["id"]]
    reader.refused(404, "not_found", "GET", f"payments/{others['id']}")
    writer.refused(404, "not_found", "POST", f"payments/{others['id']}/refunds", {})
    for path in ("accounts", "users/me", "api-keys", f"accounts/{ada.wallet()}/balance"):
        reader.refused(403, "forbidden", "GET", path)


def test_an_api_key_takes_a_fresh_sign_in_or_the_password_and_is_told(fresh_platform):
    platform = fresh_platform("user.fresh_sign_in=0s")
    user = platform.register("keys")
    body = {"name": "shop", "scopes": ["payments:read"]}
    user.refused(403, "password_required", "POST", "api-keys", body, field="currentPassword")
    user.refused(403, "invalid_credentials", "POST", "api-keys", body | {"currentPassword": "wrong"},
                 field="currentPassword")
    made = user.post("api-keys", body | {"currentPassword": user.password}, expect=201)
    told = wait_for(lambda: [one for one in user.items("notifications") if one["template"] == "api_key_created"],
                    "a notice in the inbox")
    assert told[0]["subject"] == made["apiKey"]["id"]
    assert wait_for(lambda: platform.staff("ADMIN").items("outbox", to=user.email, template="api_key_created"),
                    "a notice to the address")
    change = {"currentPassword": user.password, "newPassword": "an entirely new one"}
    user.post("auth/password", change, expect=204)
    assert user.items("api-keys")[0]["revoked"] is False
    change = {"currentPassword": "an entirely new one", "newPassword": "and yet another", "revokeApiKeys": True}
    user.post("auth/password", change, expect=204)
    assert user.items("api-keys")[0]["revoked"] is True
    key = Api(platform, made["secret"])
    wait_for(lambda: key.request("GET", "payments").status_code == 401, "end of the key")


def test_staff_suspends_and_reinstates(platform, admin, support):
    user = platform.register("suspended")
    key = Api(platform, user.post("api-keys", {"name": "x", "scopes": ["payments:read"]}, expect=201)["secret"])
    assert key.request("GET", "payments").status_code != 401
    body = {"reason": "an inquiry"}
    user.refused(403, "forbidden", "POST", f"users/{user.id}/suspend", body)
    support.refused(403, "forbidden", "POST", f"users/{admin.id}/suspend", body)
    support.refused(404, "not_found", "POST", f"users/{new_uuid()}/suspend", body)
    assert support.post(f"users/{user.id}/suspend", body, expect=200)["status"] == "SUSPENDED"
    wait_for(lambda: not works(user), "end of the access token")
    wait_for(lambda: key.request("GET", "payments").status_code == 401, "end of the key")
    user.refused(401, "invalid_token", "GET", "users/me")
    sign_in = {"email": user.email, "password": user.password}
    platform.anonymous().refused(403, "user_suspended", "POST", "auth/login", sign_in)
    platform.anonymous().refused(403, "user_suspended", "POST", "auth/refresh",
                                 {"refreshToken": user.refresh_token})
    assert support.post(f"users/{user.id}/reinstate", body, expect=200)["status"] == "ACTIVE"
    assert works(user.login())
    told = wait_for(lambda: [one for one in user.items("notifications") if one["template"] == "user_reinstated"],
                    "a message")
    assert told


def test_too_many_api_keys(platform):
    user = platform.register("keys")
    body = {"name": "one of many", "scopes": ["payments:read"]}
    for _ in range(50):
        user.post("api-keys", body, expect=201)
    user.refused(409, "too_many_api_keys", "POST", "api-keys", body)
    user.delete(f"api-keys/{user.items('api-keys')[0]['id']}")
    user.post("api-keys", body, expect=201)
