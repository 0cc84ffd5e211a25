"""API keys in a cluster: the gateway asks the user service about one, and nobody else waits for the answer."""
import concurrent.futures
import time

from platform_client import Api, wait_for

ANSWER_SECONDS = 10  # 2 s for the user service, and what a busy machine adds


def test_a_user_service_that_hangs_holds_up_nobody_but_new_keys(cluster):
    ada = cluster.ada
    secrets = [ada.post("api-keys", {"name": f"key {number}", "scopes": ["payments:read"]}, expect=201)["secret"]
               for number in range(12)]
    keys = [Api(cluster.platform, secret) for secret in secrets]
    keys[0].get("payments")
    user = cluster["user"]
    asked = cluster.metric("micropay_gateway_callers_asked_total", "gateway")
    user.pause()
    try:
        with concurrent.futures.ThreadPoolExecutor(len(keys)) as pool:
            began = time.monotonic()
            waiting = [pool.submit(key.request, "GET", "payments") for key in keys[1:]]
            # More of them than the gateway has I/O threads; a user's token needs nobody.
            for _ in range(10):
                assert ada.request("GET", "payments").status_code == 200
            assert time.monotonic() - began < ANSWER_SECONDS
            assert keys[0].request("GET", "payments").status_code == 200  # what is known is believed for a while
            answers = [each.result(timeout=60) for each in waiting]
        # Nobody could say: that is not the same as a key that is not good.
        assert {answer.status_code for answer in answers} <= {503, 504}
        assert time.monotonic() - began < ANSWER_SECONDS
    finally:
        user.resume()
    assert cluster.metric("micropay_gateway_callers_asked_total", "gateway") >= asked + len(answers)
    wait_for(lambda: all(key.request("GET", "payments").status_code == 200 for key in keys), "the keys", 20)
    assert Api(cluster.platform, secrets[1][:-1] + "x").request("GET", "payments").status_code == 401
