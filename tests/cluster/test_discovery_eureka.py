"""Our discovery service with Netflix's client, its codecs, and Spring's: registration, delta, override."""
import time

import httpx

from java_client import JavaClient

FRESH_SECONDS = 20


def eventually(question, expected):
    """Asks until the answer is that."""
    deadline = time.monotonic() + FRESH_SECONDS
    while (answer := question()) != expected:
        assert time.monotonic() < deadline, f"{answer!r} instead of {expected!r}"
        time.sleep(0.05)


def instance(application, name):
    center = {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}
    return {"instance": {"instanceId": name, "hostName": "h", "app": application, "ipAddr": "10.0.0.9",
                         "status": "UP", "vipAddress": application, "port": {"$": 7002, "@enabled": "true"},
                         "dataCenterInfo": center, "metadata": {"zone_name": "us"}}}


def test_netflix_client(edge):
    server = edge("discovery")
    with JavaClient("eureka", f"{server.url}/eureka/", "pay", "LegacyJacksonJson", "60") as client:
        own = "java:pay=UP:7001:eu-1"
        eventually(lambda: client.ask("instances pay"), f"[{own}]")
        # What others register comes by deltas, and adds up.
        httpx.post(f"{server.url}/eureka/apps/PAY", json=instance("PAY", "other")).raise_for_status()
        eventually(lambda: client.ask("instances pay"), f"[{own}, other=UP:7002:us]")
        eventually(lambda: client.ask("hash"), "UP_2_")
        httpx.put(f"{server.url}/eureka/apps/PAY/other/status?value=OUT_OF_SERVICE").raise_for_status()
        eventually(lambda: client.ask("instances pay"), f"[{own}, other=OUT_OF_SERVICE:7002:us]")
        eventually(lambda: client.ask("vip pay"), "1")
        httpx.delete(f"{server.url}/eureka/apps/PAY/other").raise_for_status()
        eventually(lambda: client.ask("instances pay"), f"[{own}]")
        # An override of its own status, and its end.
        httpx.put(f"{server.url}/eureka/apps/PAY/java:pay/status?value=OUT_OF_SERVICE").raise_for_status()
        eventually(lambda: client.ask("instances pay"), "[java:pay=OUT_OF_SERVICE:7001:eu-1]")
        httpx.delete(f"{server.url}/eureka/apps/PAY/java:pay/status").raise_for_status()
        eventually(lambda: client.ask("instances pay"), f"[{own}]")
        client.ask("down")
        eventually(lambda: client.ask("instances pay"), "[java:pay=DOWN:7001:eu-1]")
        assert client.ask("stop") == "stopped"
    assert httpx.get(f"{server.url}/eureka/apps/PAY").status_code == 404


def test_codecs_of_xml(edge):
    server = edge("discovery")
    with JavaClient("eureka", f"{server.url}/eureka/", "pay", "LegacyJacksonJson", "60") as client:
        for codec in ("XStreamXml", "JacksonXml"):
            assert client.ask(f"xml-register {codec} {codec}") == "204"
        eventually(lambda: client.ask("instances pay"), "[java:pay=UP:7001:eu-1]")
        # What XStream writes as zone__name, Jackson does not read as zone_name: they differ among themselves.
        for codec, zone in (("XStreamXml", "eu-1"), ("JacksonXml", "")):
            assert client.ask(f"xml-all {codec}") == (
                f"UP_3_ [JACKSONXML/xml:JacksonXml=UP:7001:30:{zone}, PAY/java:pay=UP:7001:1:{zone}, "
                f"XSTREAMXML/xml:XStreamXml=UP:7001:30:{zone}]")


def test_a_killed_client_is_evicted_and_a_killed_server_is_forgiven(edge):
    first = edge("discovery", "discovery.eviction_interval=200ms")
    with JavaClient("eureka", f"{first.url}/eureka/", "pay", "JacksonJson", "4") as client:
        eventually(lambda: client.ask("hash"), "UP_1_")
        first.kill()
        first.start()  # empty: the renewal is answered 404, and the client registers again
        eventually(lambda: httpx.get(f"{first.url}/eureka/apps/PAY").status_code, 200)
        client.kill()
        eventually(lambda: httpx.get(f"{first.url}/eureka/apps/PAY").status_code, 404)


def test_spring_client_and_two_servers(edge):
    first = edge("discovery")
    second = edge("discovery", f"discovery.peers={first.url}/eureka")
    arguments = ["--spring.application.name=shop",
                 f"--eureka.client.service-url.defaultZone={second.url}/eureka/",
                 "--spring.cloud.config.enabled=false",
                 "--eureka.instance.lease-renewal-interval-in-seconds=1",
                 "--eureka.client.registry-fetch-interval-seconds=1", "--eureka.instance.hostname=127.0.0.1",
                 "--eureka.client.initial-instance-info-replication-interval-seconds=0",
                 "--eureka.client.instance-info-replication-interval-seconds=1",
                 "--eureka.instance.instance-id=shop-1",
                 "--eureka.instance.metadata-map.zone=eu", "--eureka.instance.non-secure-port=7003",
                 "--logging.level.root=WARN"]
    with JavaClient("spring", *arguments) as client:
        eventually(lambda: client.ask("instances shop"), "{shop-1eu=7003}")
        # The second tells the first what its client said.
        eventually(lambda: httpx.get(f"{first.url}/eureka/apps/SHOP/shop-1").status_code, 200)
        assert client.ask("stop") == "stopped"
    eventually(lambda: httpx.get(f"{first.url}/eureka/apps/SHOP").status_code, 404)
