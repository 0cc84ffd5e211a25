"""Live events at /ws: one's own and nobody else's, staff's wider view, catching up, and who is not let in."""
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from live_client import closed_with, ready, stream


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("100.00")
    return user


@pytest.fixture(scope="module")
def bob(platform):
    user = platform.register("bob")
    user.top_up("100.00")
    return user


def test_both_sides_hear_of_a_payment(ada, bob, platform):
    stranger = platform.register("stranger")
    with ready(ada) as mine, ready(bob) as theirs, ready(stranger) as others:
        assert mine.ready["userId"] == ada.id
        payment = ada.pay(bob, "1.00")
        heard = mine.story(payment["id"], 4)
        types = [event["type"] for event in heard if event["subject"] == payment["id"]]
        # Not account.balance.updated: it shows both balances, and each is the business of its owner.
        assert platform.order(types) == platform.order(
            ["payment.initiated", "account.balance.reserved", "payment.processing", "payment.completed"])
        positions = [event["position"] for event in heard]
        assert positions == sorted(set(positions)) and positions[0] > mine.ready["position"]
        assert theirs.events_until("payment.completed", payment["id"])[-1]["data"]["payeeUserId"] == bob.id
        # The stranger hears nothing of it: the next thing it hears is its own.
        own = stranger.top_up("1.00")
        heard = others.events_until("account.top_up.completed", own["id"])
        assert {event["subject"] for event in heard} <= {own["id"], stranger.id, stranger.wallet()}


def test_events_are_cloud_events(ada, bob):
    with ready(ada) as mine:
        payment = ada.try_pay(bob, "1.00", headers={"X-Correlation-Id": "stream-1"}).json()
        event = mine.events_until("payment.completed", payment["id"])[-1]
    assert event["specversion"] == "1.0" and event["source"] == "/payment"
    assert event["partitionkey"] == payment["id"]
    assert event["correlationid"] == "stream-1" and event["datacontenttype"] == "application/json"
    assert event["data"]["amount"] == {"currency": "EUR", "value": "1.00"} and event["time"].endswith("Z")
    events = ada.items(f"payments/{payment['id']}/events")
    assert [event["id"]] == [one["id"] for one in events if one["type"] == event["type"]]


def test_messages_arrive_live(ada, bob):
    with ready(bob) as theirs:
        theirs.send(type="subscribe", events=["notification.*"])
        assert theirs.reply("subscribed") == {"type": "subscribed", "scope": "own",
                                               "events": ["notification.*"]}
        payment = ada.pay(bob, "1.00")
        while (event := theirs.event())["data"]["subject"] != payment["id"]:
            assert event["type"] == "notification.sent"
        assert (event["type"], event["data"]["template"]) == ("notification.sent", "payment_received")


def test_staff_may_hear_everything(ada, bob, support):
    with ready(support) as all_events:
        all_events.send(type="subscribe", events=["payment.completed", "fraud.*"])
        assert all_events.reply("subscribed")["scope"] == "all"
        payment = ada.pay(bob, "1.00")
        heard = all_events.story(payment["id"], 2)
        assert {event["type"] for event in heard} == {"payment.completed", "fraud.risk.assessed"}
        all_events.send(type="subscribe", events="*")
        assert all_events.reply("subscribed")["events"] == ["*"]
        payment = ada.pay(bob, "1.00")
        types = [event["type"] for event in all_events.story(payment["id"], 8) if event["subject"] == payment["id"]]
        assert types.count("payment.completed") == types.count("fraud.risk.assessed") == 1


def test_others_cannot_ask_for_more(ada, bob, platform):
    curious = platform.register("curious")
    with ready(curious) as mine:
        mine.send(type="subscribe", events="*")
        assert mine.reply("subscribed")["scope"] == "own"
        ada.pay(bob, "1.00")
        mine.send(type="ping")
        message = mine.receive()
        while message["type"] == "event":
            assert message["event"]["data"]["userId"] == curious.id, "what is one's own, if anything"
            message = mine.receive()
        assert message["type"] == "pong"


def test_what_was_missed_comes_first(ada, bob):
    with ready(ada) as mine:
        last = ada.pay(bob, "1.00")
        position = mine.events_until("payment.completed", last["id"])[-1]["position"]
    missed = [ada.pay(bob, "1.00") for _ in range(3)]
    with ready(ada, f"?from={position}") as mine:
        live = ada.pay(bob, "1.00")
        heard = mine.events_until("payment.completed", live["id"])
    completed = [event["subject"] for event in heard if event["type"] == "payment.completed"]
    assert completed == [payment["id"] for payment in missed] + [live["id"]]
    positions = [event["position"] for event in heard]
    assert positions == sorted(set(positions)) and positions[0] > position, "in order, none twice"


def test_a_token_in_the_query(ada):
    anonymous = ada.platform.anonymous()
    with ready(anonymous, f"?access_token={ada.token}") as mine:
        assert mine.ready["userId"] == ada.id


def test_a_token_in_the_first_message(ada):
    with stream(ada.platform.anonymous(), subprotocols=["micropay.json"]) as mine:
        assert mine.socket.subprotocol == "micropay.json"
        mine.send(type="subscribe", events="*")
        assert mine.expect("error")["code"] == "unauthenticated"
        mine.send(type="authenticate", accessToken=ada.token)
        assert mine.expect("ready")["userId"] == ada.id


def test_messages_that_make_no_sense(ada):
    with ready(ada) as mine:
        for text, code in [("nonsense", "malformed_message"), ("[]", "malformed_message"),
                           ('{"type":"dance"}', "unknown_message"),
                           ('{"type":"subscribe"}', "required")]:
            mine.socket.send(text)
            assert mine.reply("error")["code"] == code
        mine.send(type="ping")
        mine.reply("pong")


def test_bad_tokens_do_not_open_it(ada):
    for token in ("garbage", ada.token[:-4] + "AAAA"):
        with pytest.raises(InvalidStatus) as refused:
            with connect(ada.platform.ws_url, additional_headers={"Authorization": f"Bearer {token}"},
                         proxy=None):
                pass
        assert refused.value.response.status_code == 401
    with stream(ada.platform.anonymous()) as mine:
        mine.send(type="authenticate", accessToken="garbage")
        assert mine.expect("error")["code"] == "invalid_token"
        assert closed_with(mine) == 4401


def test_silence_ends_it(ada):
    """Who does not say who they are within 5 s is sent away."""
    with stream(ada.platform.anonymous()) as mine:
        assert mine.expect("error")["code"] == "unauthenticated"
        assert closed_with(mine) == 4401


def test_a_malformed_position(ada):
    with pytest.raises(InvalidStatus) as refused:
        with stream(ada, "?from=yesterday"):
            pass
    assert refused.value.response.status_code == 400


def test_without_an_upgrade(platform):
    answer = platform.anonymous().request("GET", "/ws")
    assert answer.status_code == 426 and answer.json()["code"] == "upgrade_required"


@pytest.mark.slow
def test_it_ends_with_the_token(fresh_platform):
    platform = fresh_platform("user.access_token_ttl=3s")
    ada = platform.register("ada", prove=False).login()  # a fresh one: registering may take long
    with ready(ada) as mine:
        assert closed_with(mine) == 4401


@pytest.mark.slow
def test_a_revoked_session_ends_it(platform):
    user = platform.register("revoked")
    with ready(user) as mine:
        user.post("auth/logout", {"refreshToken": user.refresh_token}, expect=204)
        assert closed_with(mine, 20) == 4401


def test_streams_of_one_user_are_bounded(fresh_platform):
    platform = fresh_platform("gateway.max_streams_per_user=2")
    ada, bob = platform.register("ada"), platform.register("bob")
    with ready(ada), ready(ada) as second:
        with stream(ada) as third:
            assert third.expect("error")["code"] == "too_many_streams"
            assert closed_with(third) == 1008
        with ready(bob):
            pass
        second.send(type="ping")
        assert second.reply("pong")
