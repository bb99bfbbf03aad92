"""What schemathesis cannot know: what is new, which clusters there are, and how to be stricter."""

import os
import random
import re
import time
import uuid

import schemathesis

from document import close_answers, operations

CLUSTERS = ["orders", "billing"]
chance = random.Random(11)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    for operation in operations(raw_schema):
        for answer in operation["responses"].values():
            for content in answer["content"].values():
                # What schemathesis takes for the schema of one event.
                if "x-continuity-event" in content:
                    content["schema"] = content["x-continuity-event"]
    close_answers(raw_schema)
    if os.environ.get("CONTINUITY_API_LIE"):
        lie(raw_schema)


def lie(raw_schema):
    """For the test of the test: the document says less than the server answers."""
    operation = raw_schema["paths"]["/api/v1/continuity/whoami"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    del schema["properties"]["role"]
    schema["required"].remove("role")


def is_time(text):
    return isinstance(text, (str, int)) and str(text).isascii() and str(text).isdigit() and (
        1 <= int(text) < 2**63
    )


def is_count(text):
    return str(text) == "0" or is_time(text)


def is_nonce(text):
    return isinstance(text, str) and 16 <= len(text) <= 64 and all("!" <= c <= "~" for c in text)


def is_witness(value):
    return (
        isinstance(value, dict)
        and is_count(value.get("seq"))
        and re.fullmatch("[0-9a-f]{64}", str(value.get("hash"))) is not None
        and isinstance(value.get("alarm", ""), str)
    )


@schemathesis.hook
def before_call(context, case, kwargs):
    headers = case.headers
    # What was generated to be right is made new, or it would be refused as old. What was generated
    # to be wrong stays wrong.
    if is_time(headers.get("Continuity-Timestamp")):
        headers["Continuity-Timestamp"] = str(time.time_ns() // 1_000_000)
    if is_nonce(headers.get("Continuity-Nonce")):
        headers["Continuity-Nonce"] = uuid.uuid4().hex
    if "Continuity-Session" in headers and chance.random() < 0.5:
        with open(os.environ["CONTINUITY_SESSION_FILE"], encoding="ascii") as file:
            headers["Continuity-Session"] = file.read()
    # Waiting for half a minute teaches nothing that a tenth of a second does not.
    wait = case.query.get("wait_ms")
    if is_time(wait) and 100 < int(wait) <= 30000:
        case.query["wait_ms"] = 100
    # A witness of another journal makes /health/deep answer 503, as it should; WitnessServeTests
    # asks for that. What it says wrongly stays wrong.
    if isinstance(case.body, dict) and is_witness(case.body.get("witness")):
        del case.body["witness"]
    # A stream that begins with the first entry shows some at once.
    if case.path.endswith("/events"):
        if is_count(case.query.get("after", 0)):
            case.query["after"] = 0
        if is_count(headers.get("Last-Event-ID")):
            headers["Last-Event-ID"] = "0"
    # A name that was made up is of no cluster; every other time it is one that there is.
    body = case.body
    if (
        isinstance(body, dict)
        and isinstance(body.get("cluster_id"), str)
        and 1 <= len(body["cluster_id"]) <= 100
        and chance.random() < 0.5
    ):
        body["cluster_id"] = chance.choice(CLUSTERS)


@schemathesis.hook
def after_call(context, case, response):
    if 200 <= response.status_code < 300:
        with open(os.environ["CONTINUITY_SEEN_FILE"], "a", encoding="ascii") as file:
            file.write(case.operation.definition.raw["operationId"] + "\n")
