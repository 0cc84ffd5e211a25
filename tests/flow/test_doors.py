"""Every door has the same lock. What REST refuses a caller, lists and the live stream refuse, too, live and of what
was missed; what REST shows staff, the stream lets them hear. Driven by the documents that follow from the contracts
(/openapi.json), so that the routes and events of a service are covered the day it is added: nothing here names one
but the story that makes things happen.
"""
import json
import re
import time

import pytest
from websockets.exceptions import InvalidStatus

from live_client import closed_with, ready, stream
from platform_client import Api, PASSWORD, items_of, money, new_uuid, problem, wait_for

STAFF = ("SUPPORT", "AUDITOR", "ADMIN")


class Reading:
    """What REST says: which record a caller may read, by the routes that read one by its id."""

    def __init__(self, document):
        self.by_record, self.lists = {}, []
        self.records = {name[:1].lower() + name[1:] + "Id" for name in document["components"]["schemas"]}
        for path, verbs in document["paths"].items():
            operation = verbs.get("get")
            if operation is None:
                continue
            schema = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
            record = schema.get("$ref", "").rsplit("/", 1)[-1]
            if path.endswith("}") and path.count("{") == 1:
                self.by_record[record[:1].lower() + record[1:] + "Id"] = path
            elif "{" not in path and "nextPageToken" in json.dumps(document["components"]["schemas"].get(record, {})):
                self.lists.append((path, operation["x-access"]))
        self.answers = {}

    def status(self, caller, field, value):
        path = self.by_record[field]
        url = path[:path.index("{")] + value
        if (caller, url) not in self.answers:
            self.answers[caller, url] = caller.request("GET", url).status_code
        return self.answers[caller, url]


def named(data):
    """(field, id) of the records that an event names, at any depth."""
    if isinstance(data, list):
        return [found for item in data for found in named(item)]
    if not isinstance(data, dict):
        return []
    here = [(name, value) for name, value in data.items() if name.endswith("Id") and isinstance(value, str)]
    return here + [found for value in data.values() for found in named(value)]


@pytest.fixture(scope="module")
def reading(platform):
    return Reading(platform.anonymous().get("/openapi.json"))


def api_key(user, *scopes):
    made = user.post("api-keys", {"name": "+".join(scopes), "scopes": list(scopes)}, expect=201)
    key = Api(user.platform, made["secret"])
    key.id, key.key_id = user.id, made["apiKey"]["id"]
    return key


def story(platform, ada, bob, carl):
    """One of everything that can happen to somebody, by himself and by staff."""
    admin, support = platform.staff("ADMIN"), platform.staff("SUPPORT")
    payment = ada.pay(bob, "3.00")
    bob.post(f"payments/{payment['id']}/refunds", {"amount": money("1.00")}, expect=201)
    assert ada.try_pay(bob, "99999.00").status_code == 402
    held = ada.try_pay(carl, "6500.00").json()["id"]  # to somebody new: staff decides
    wait_for(lambda: support.request("GET", f"fraud/cases/{held}").status_code == 200, "case")
    support.post(f"fraud/cases/{held}/decide", {"decision": "DECLINE", "note": "for a test"})
    wallet = ada.new_wallet()
    support.post(f"accounts/{wallet}/freeze", {"reason": "for a test"})
    support.post(f"accounts/{wallet}/unfreeze", {"reason": "for a test"})
    admin.post("ledger/transfers", {"transfers": [
        {"id": new_uuid(), "debitSystemAccount": "equity", "creditAccountId": wallet, "amount": money("2.00")}]},
               expect=201)
    ada.patch("users/me", {"displayName": "Ada Again"})
    ada.post("api-keys", {"name": "one more", "scopes": ["payments:read"]}, expect=201)
    ada.post("auth/login", {"email": ada.email, "password": ada.password}, expect=200)
    assert ada.request("POST", "auth/login", {"email": ada.email, "password": PASSWORD + "!"}).status_code == 401


@pytest.fixture(scope="module")
def heard(platform):
    """Who heard what of the story, live; and the same read again afterwards."""
    ada, bob, stranger = (platform.register(name) for name in ("ada", "bob", "stranger"))
    carl = platform.register("carl")
    ada.top_up("9000.00"), bob.top_up("10.00")
    callers = {role: platform.staff(role) for role in STAFF}
    callers |= {"ada": ada, "bob": bob, "stranger": stranger, "ada's key": api_key(ada, "payments:read")}
    streams = {name: stream(caller, max_queue=None) for name, caller in callers.items()}
    opened = {name: each.__enter__() for name, each in streams.items()}
    from_here = {}
    for name, each in opened.items():
        from_here[name] = each.expect("ready")["position"]
        each.send(type="subscribe", events="*")
        each.reply("subscribed")
    story(platform, ada, bob, carl)
    last = ada.pay(bob, "1.00")["id"]
    stranger.top_up("1.00")

    def told(each, name):
        """Until nothing more is to come: the last payment, or one's own wallet."""
        mine = "account.top_up.completed" if name == "stranger" else "payment.completed"
        events = [each.event()]
        while not (events[-1]["type"] == mine and (name == "stranger" or events[-1]["subject"] == last)):
            events.append(each.event())
        return events
    result = {name: (callers[name], told(each, name)) for name, each in opened.items()}
    for each in streams.values():
        each.__exit__(None, None, None)
    again = {}
    for name, caller in callers.items():
        with stream(caller, f"?from={from_here[name]}") as each:
            each.expect("ready")
            again[name] = told(each, name) if name not in STAFF else None
    return result, again


def test_what_is_heard_may_be_read(heard, reading):
    """Whoever is not named by the event may read every record that it names; a key, by its scopes."""
    wrong, seen = [], set()
    for name, (caller, events) in heard[0].items():
        for event in events:
            if "key" not in name and caller.id in [value for _, value in named(event["data"])]:
                continue  # its audience
            service = [(field, value) for field, value in named(event["data"])
                       if field in reading.by_record and field[:-2].lower() in event["source"].lower() + event["type"]]
            codes = [reading.status(caller, field, value) for field, value in service]
            seen.add((name, event["type"]))
            if 403 in codes or (codes and 200 not in codes):  # 404: the platform's own accounts are nobody's wallets
                wrong.append((name, event["type"], service, codes))
    assert wrong == []
    assert {kind for name, kind in seen if name == "ada's key"} <= {
        kind for _, kind in seen if kind.startswith("payment.")}
    assert len({kind for _, kind in seen}) >= 20


def test_nobody_else_hears_what_no_route_shows(heard):
    """Sessions, addresses, keys and messages are shown to their own user alone."""
    private = re.compile(r"user\.(signed|sign_in|session|api_key)|notification\.")
    for role in STAFF:
        caller, events = heard[0][role]
        others = [event["type"] for event in events if caller.id not in json.dumps(event["data"])]
        assert others and not [kind for kind in others if private.match(kind)], role
        personal = {"email", "displayName"} if role == "AUDITOR" else set()
        assert not [event for event in events if personal & set(event["data"])], role
    assert any(private.match(event["type"]) for event in heard[0]["ada"][1]), "her own she hears"


def test_staff_hears_what_it_may_read(heard, reading):
    """The other way round: what one role hears of a record that another may read, too, that one hears as well."""
    events = {event["id"]: event for _, (_, told) in heard[0].items() for event in told}
    missing = []
    for role in STAFF:
        caller, told = heard[0][role]
        ids = {event["id"] for event in told}
        for event in events.values():
            names = dict(named(event["data"]))
            key = [(field, value) for field, value in names.items()
                   if value == event["subject"] and field in reading.by_record]
            unknown = (names.keys() & reading.records) - reading.by_record.keys()  # shown by lists of one's own
            if key and not unknown and reading.status(caller, *key[0]) == 200 and event["id"] not in ids:
                missing.append((role, event["type"], key))
    assert missing == []


def test_a_stranger_hears_and_lists_nothing_of_others(platform, heard, reading):
    stranger, events = heard[0]["stranger"]
    ada = heard[0]["ada"][0]
    assert ada.id not in json.dumps(events) and ada.wallet() not in json.dumps(events)
    tried = 0
    for path, access in reading.lists:
        answer = stranger.request("GET", path)
        assert answer.status_code in (200, 400, 403), path
        allowed = access.get("signedIn") or "USER" in access.get("roles", []) or access.get("public")
        assert allowed or answer.status_code == 403, path
        assert ada.id not in answer.text and ada.wallet() not in answer.text, path
        tried += 1
    assert tried >= 10


def test_lists_show_what_may_be_read(platform, heard, reading):
    """Each record of a list that a caller gets, he gets by its id, too."""
    for name in (*STAFF, "ada", "stranger", "ada's key"):
        caller = heard[0][name][0]
        for path, _ in reading.lists:
            answer = caller.request("GET", path, params={"pageSize": 3})
            field = next((field for field, one in reading.by_record.items() if one.startswith(path + "/{")), None)
            if answer.status_code != 200 or field is None:
                continue
            for item in items_of(answer.json()):
                assert reading.status(caller, field, item["id"]) == 200, (name, path, item)


def test_what_was_missed_is_what_was_heard(platform, heard):
    for name, events in heard[1].items():
        live = {event["id"]: event["type"] for event in heard[0][name][1]}
        if events is not None and platform.one_log:
            assert {event["id"]: event["type"] for event in events} == live, name
        # Of several logs, the stream may end before what comes last from another one.


@pytest.mark.parametrize("scope", ["payments:write"])
def test_a_key_that_reads_nothing_hears_nothing(platform, scope):
    user = platform.register("payer")
    key = api_key(user, scope)
    for query in ("", "?from=0"):
        with pytest.raises(InvalidStatus) as refused:
            with stream(key, query):
                pass
        assert refused.value.response.status_code == 403
    problem(key.request("GET", "payments"), 403, "forbidden")
    with stream(platform.anonymous()) as late:
        late.send(type="authenticate", accessToken=key.token)
        assert late.expect("error")["code"] == "forbidden"
        assert closed_with(late) == 4403


def sessions_end(user, admin):
    """Ways in which a token stops being good."""
    session = user.items("sessions")[0]["id"]
    return {"logout": lambda: user.post("auth/logout", {"refreshToken": user.refresh_token}, expect=204),
            "revoked": lambda: user.delete(f"sessions/{session}"),
            "by staff": lambda: admin.delete(f"sessions/{session}"),
            "roles": lambda: admin.put(f"users/{user.id}/roles",
                                      {"roles": ["USER", "VENDOR"], "reason": "for a test"}),
            "suspended": lambda: admin.post(f"users/{user.id}/suspend", {"reason": "for a test"})}


@pytest.mark.parametrize("way", ["logout", "revoked", "by staff", "roles", "suspended"])
def test_a_token_ends_at_every_door_at_once(platform, admin, way):
    user = platform.register("leaving")
    with ready(user) as mine:
        sessions_end(user, admin)[way]()
        began = time.monotonic()
        assert closed_with(mine) == 4401
        assert time.monotonic() - began < 1 or not platform.one_log
    assert wait_for(lambda: user.request("GET", "users/me").status_code == 401, "the end of the token")
    with pytest.raises(InvalidStatus) as refused:
        with stream(user):
            pass
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("way", ["revoked", "suspended"])
def test_a_key_ends_at_every_door_at_once(platform, admin, way):
    user = platform.register("keyholder")
    key = api_key(user, "payments:read")
    with ready(key) as mine:
        if way == "revoked":
            user.delete(f"api-keys/{key.key_id}")
        else:
            admin.post(f"users/{user.id}/suspend", {"reason": "for a test"})
        began = time.monotonic()
        assert closed_with(mine) == 4401
        assert time.monotonic() - began < 1 or not platform.one_log
    assert wait_for(lambda: key.request("GET", "payments").status_code == 401, "the end of the key")


def test_demoted_staff_hears_its_own(platform, admin):
    """With the old token nothing at all, with the new one what REST shows him."""
    helper = platform.register("helper")
    admin.put(f"users/{helper.id}/roles", {"roles": ["SUPPORT"], "reason": "for a test"})
    helper.login()
    with ready(helper) as mine:
        mine.send(type="subscribe", events="*")
        assert mine.reply("subscribed")["scope"] == "all"
        admin.put(f"users/{helper.id}/roles", {"roles": ["USER"], "reason": "for a test"})
        assert closed_with(mine) == 4401
    helper.login()
    with ready(helper) as mine:
        mine.send(type="subscribe", events="*")
        assert mine.reply("subscribed")["scope"] == "own"


def test_anothers_token_ends_the_stream(platform):
    ada, bob = platform.register("ada"), platform.register("bob")
    with ready(ada) as mine:
        mine.send(type="authenticate", accessToken=bob.token)
        assert mine.reply("error")["code"] == "invalid_token"
        assert closed_with(mine) == 4401


def test_page_tokens_are_of_one_list(platform, heard, reading):
    """In every list: of another order, filter or user, or of another list, a token is none."""
    admin, other = heard[0]["ADMIN"][0], heard[0]["ada"][0]
    tokens = {}
    for path, _ in reading.lists:
        answer = admin.request("GET", path, params={"pageSize": 1})
        if answer.status_code == 200 and answer.json().get("nextPageToken"):
            tokens[path] = answer.json()["nextPageToken"]
    assert len(tokens) >= 4
    for path, token in tokens.items():
        assert admin.request("GET", path, params={"pageSize": 2, "pageToken": token}).status_code == 200, path
        for elsewhere in tokens:
            if elsewhere != path:
                problem(admin.request("GET", elsewhere, params={"pageToken": token}), 400, "invalid_page_token")
        refused = admin.request("GET", path, params={"pageToken": token, "orderBy": "id asc"})
        assert refused.status_code == 400, path
        assert other.request("GET", path, params={"pageToken": token}).status_code in (400, 403), path
