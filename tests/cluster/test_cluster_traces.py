"""One payment through a cluster is one tree in Zipkin: over HTTP, gRPC and Kafka, each span below one that is there.

Names and attributes are those of OpenTelemetry's semantic conventions.
"""
from platform_client import wait_for
from test_traces import Tree, new_trace, spans_of

LEAST = 30  # spans of a payment: a call, eight events sent, each taken in by several services
SAGA = ("payment.initiated", "account.balance.reserved", "fraud.risk.assessed", "payment.processing",
        "transaction.created", "transaction.settled", "account.balance.updated", "payment.completed")


def tags(span, prefix):
    return {key.removeprefix(prefix): value for key, value in span["tags"].items() if key.startswith(prefix)}


def service(span):
    return span["localEndpoint"]["serviceName"]


def handled(spans, who, event):
    """Whether the service has taken in an event of this type."""
    return any(service(span) == who and span.get("kind") == "CONSUMER"
               and span["tags"]["cloudevents.event_type"] == event for span in spans)


def whole_trace(zipkin, trace):
    """All of its spans, when they have come: every process sends its own, some a second later than others."""
    def there():
        spans = zipkin.trace(trace)
        complete = (all(handled(spans, "audit", event) for event in SAGA)
                    and handled(spans, "notification", SAGA[-1])
                    and any((service(span), span.get("kind")) == ("gateway", "SERVER") for span in spans)
                    and len(Tree(spans).roots()) == 1)
        return spans if complete else []
    return wait_for(there, f"the whole tree of {trace}", 30)


def test_a_payment_is_one_tree_over_all_services(cluster, zipkin):
    ada, bob = cluster.ada, cluster.bob
    trace, headers = new_trace()
    ada.post("payments", ada.payment_body(bob, "5.00"), expect=201, headers=headers)
    tree = Tree(whole_trace(zipkin, trace))
    root, = tree.roots()  # so every other span's parent is there
    assert (service(root), root["kind"]) == ("gateway", "SERVER")
    assert root["parentId"] == headers["traceparent"].split("-")[2]
    call = ("gateway post /api/v1/payments", "gateway micropay.paymentservice/createpayment",
            "payment micropay.paymentservice/createpayment")
    way = [call]
    for sender, receiver in (("payment", "balance"), ("balance", "fraud"), ("fraud", "payment"),
                             ("payment", "transaction"), ("transaction", "balance"), ("balance", "payment"),
                             ("payment", "audit")):
        way.append((*way[-1], f"{sender} send {sender}-events", f"{receiver} process {sender}-events"))
    assert set(way) <= tree.paths(), tree.paths()
    assert {service(span) for span in tree.spans.values()} >= {
        "gateway", "payment", "balance", "fraud", "transaction", "notification", "audit"}


def test_spans_have_the_attributes_that_tools_know(cluster, zipkin):
    ada, bob = cluster.ada, cluster.bob
    trace, headers = new_trace()
    payment = ada.post("payments", ada.payment_body(bob, "5.00"), expect=201, headers=headers)
    spans = whole_trace(zipkin, trace)
    client, = [span for span in spans if span.get("kind") == "CLIENT"]
    servers = [span for span in spans if span.get("kind") == "SERVER"]
    rpc = {"system": "grpc", "service": "micropay.PaymentService", "method": "CreatePayment"}
    assert tags(client, "rpc.") == rpc and rpc in [tags(span, "rpc.") for span in servers]
    sent = {span["tags"]["messaging.message.id"]: span for span in spans if span.get("kind") == "PRODUCER"}
    taken = [span for span in spans if span.get("kind") == "CONSUMER"]
    assert {span["tags"]["cloudevents.event_type"] for span in sent.values()} >= set(SAGA)
    for span in sent.values():
        topic = f"{service(span)}-events"
        assert span["name"] == f"send {topic}"
        assert tags(span, "messaging.") == {
            "system": "kafka", "operation.type": "send", "operation.name": "send", "destination.name": topic,
            "message.id": span["tags"]["messaging.message.id"]}
    for span in taken:  # each is below the publishing of its own event
        above = sent[span["tags"]["messaging.message.id"]]
        assert span["parentId"] == above["id"] and service(span) != service(above)
        assert span["tags"]["messaging.operation.type"] == "process"
        assert span["tags"]["messaging.destination.name"] == f"{service(above)}-events"
    told = {event["id"] for event in ada.items(f"payments/{payment['id']}/events")}
    assert told <= set(sent)


def test_what_the_caller_does_not_want_recorded_is_not(cluster, zipkin):
    """Sampling is the parent's, in every process: those of the cluster begin no trace here."""
    ada, bob = cluster.ada, cluster.bob
    trace, headers = new_trace()
    unsampled = {"traceparent": headers["traceparent"][:-1] + "0"}
    ada.post("payments", ada.payment_body(bob, "5.00"), expect=201, headers=unsampled)
    ada.pay(bob, "5.00")  # without a context
    other, headers = new_trace()  # what came before it is sent before it
    ada.post("payments", ada.payment_body(bob, "5.00"), expect=201, headers=headers)
    spans_of(zipkin, other, LEAST)
    assert not zipkin.trace(trace)
    services = zipkin.get("/api/v2/services")
    assert "gateway" in services and "audit" in services
