"""Holds a real `continuity serve` to the OpenAPI document that it serves.

    check.py CONTINUITY        the program to be checked

Started by scripts/test-api, which makes the environment.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

from agents import CLUSTERS, NODES, Agents
from document import Document

HERE = pathlib.Path(__file__).parent
TOKEN = "api-test-token-0123456789-abcdef"
SEED = "20260724"
# Where the machine is slow: more is a hang.
SECONDS_MAX = 600
API = "/api/v1/continuity/"


def fail(message):
    sys.exit(f"test-api: {message}")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Serve:
    """A `serve` with two clusters, whose limits are out of the way by its configuration."""

    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.port, self.agent_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.write("token", TOKEN)
        (self.folder / "token").chmod(0o600)
        for cluster in CLUSTERS:
            # An address of its own for each node: two with one are refused.
            nodes = [
                f"  - {{node_id: {node}, role: {'primary' if node == 'node-1' else 'secondary'}, "
                f"agent_url: 'http://127.0.0.{number}:{self.agent_port}', "
                f"service_address: '127.0.0.{number}:{self.agent_port}'}}"
                for number, node in enumerate(NODES, 1)
            ]
            head = [f"cluster_id: {cluster}", "service_probe: tcp", "nodes:"]
            self.write(f"{cluster}.yaml", "\n".join(head + nodes))
        self.write("orders-policy.yaml", "policy_id: orders-manual\nstrategy: manual\n")
        self.write(
            "billing-policy.yaml",
            "policy_id: billing-manual\nstrategy: manual\napprovals: {failover: 1}\n")
        clusters = ", ".join(
            f"{{cluster_file: {one}.yaml, policy_file: {one}-policy.yaml}}" for one in CLUSTERS)
        self.write("serve.yaml", f"""\
listen: 127.0.0.1:{self.port}
insecure_plain_http: true
token_file: token
journal: journal.sqlite
clusters: [{clusters}]
limits: {{requests_per_s_of_identity: 100000, requests_per_s_of_address: 100000}}
""")
        self.process = None

    def write(self, name, text):
        (self.folder / name).write_text(text + "\n", encoding="utf-8")

    @property
    def log(self):
        return (self.folder / "serve.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def start(self):
        with open(self.folder / "serve.log", "wb") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--config", str(self.folder / "serve.yaml")],
                stdout=log, stderr=log)
        eventually("serve is ready", lambda: self.ask("GET", "/health/ready")[0] == 200, self)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def ask(self, method, path, body=None, token=TOKEN):
        """Status and JSON of an answer; status 0 where there is none."""
        headers = {
            "Authorization": "Bearer " + token, "Content-Type": "application/json",
            "Continuity-Nonce": uuid.uuid4().hex,
            "Continuity-Timestamp": str(time.time_ns() // 1_000_000),
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")
        except OSError:
            return 0, None


def eventually(what, condition, serve, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if serve.process.poll() is not None or time.monotonic() > deadline:
            fail(f"in vain: {what}\n{serve.log}")
        time.sleep(0.1)


def status_of(serve, cluster):
    report = serve.ask("GET", API + "status")[1] or {"clusters": []}
    return next((one for one in report["clusters"] if one["cluster_id"] == cluster), {})


def prepare(serve, document, agents):
    """Brings about what the answers can tell of: a run, a drill, an approval, a schedule, and so
    on. Otherwise most of their schemas would be looked at with nothing in them."""
    for cluster in CLUSTERS:
        eventually(
            f"{cluster} is healthy", lambda: status_of(serve, cluster).get("state") == "HEALTHY",
            serve)

    def ask(method, path, body, wanted, token=TOKEN):
        status, answer = serve.ask(method, API + path, body, token)
        if status != wanted:
            fail(f"{path} is answered with {status}, not {wanted}: {answer}\n{serve.log}")
        seen.add(document.check(method, API + path, status, answer))
        return answer

    def order(path, body, wanted):
        return ask("POST", path, body, wanted)

    seen = {"openAPI"}

    drill = order("drill", {"cluster_id": "orders", "reason": "before the test"}, 202)
    eventually(
        "the drill is over",
        lambda: serve.ask("GET", API + "drill/" + drill["drill_id"])[0] == 200, serve)
    ask("GET", "drill/" + drill["drill_id"], None, 200)
    order("switchover", {"cluster_id": "orders", "target_node_id": "node-2"}, 202)
    eventually("orders has moved", lambda: "last_run" in status_of(serve, "orders"), serve)
    described = [
        {"node_id": node, "role": "primary" if node == "node-2" else "secondary"}
        for node in NODES
    ]
    planned = order(
        "plan",
        {
            "cluster": {"cluster_id": "orders", "nodes": described},
            "policy": {"policy_id": "orders-manual", "strategy": "manual"},
        }, 200)
    eventually(
        "orders is well", lambda: status_of(serve, "orders").get("state") == "HEALTHY", serve)
    order("execute", {"plan": planned["plan"], "dry_run": True}, 200)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
    order(
        "schedules",
        {"cluster_id": "billing", "kind": "switchover", "at": at, "reason": "works"}, 200)
    order(
        "maintenance/start",
        {"cluster_id": "billing", "node_id": "node-3", "reason": "disk", "duration_s": 3600}, 200)
    govern(serve, ask, order, agents)
    order("failover", {"cluster_id": "billing", "requested_by": "ana", "reason": "disk"}, 202)
    order("tokens", {"name": "deploy", "role": "viewer", "expires_in_s": 3600}, 201)
    # schemathesis asks with the token of token_file, which is nobody's to claim: its requests are
    # refused (409), and the run goes on with it. So a claim that succeeds is made here.
    own = {"name": "own", "owner": "ben", "role": "viewer", "expires_in_s": 3600}
    ask("POST", "tokens/claim", {}, 201, order("tokens", own, 201)["token"])
    ask("GET", "status", None, 200)
    return seen


def govern(serve, ask, order, agents):
    """What takes more than one person: data that may be lost, and broken glass."""
    for node in NODES[1:]:
        agents.services["billing", node]["lag_ms"] = 900_000
    behind = {"cluster_id": "billing", "requested_by": "ana", "accepts_data_loss": True}
    eventually(
        "billing lags",
        lambda: all(
            one["service"]["lag_ms"] == 900_000 for one in status_of(serve, "billing")["nodes"][1:]
        ), serve)
    asked = order("failover", behind, 202)
    path = "approvals/" + asked["approval_id"]
    ben = {"cluster_id": "billing", "requested_by": "ben", "reason": "seen the graphs"}
    order(path + "/accept-data-loss", ben | asked["data_loss"], 200)
    order(path + "/refuse", ben, 200)
    for node in NODES[1:]:
        agents.services["billing", node]["lag_ms"] = 0
    eventually(
        "billing does not lag",
        lambda: all(
            one["service"]["lag_ms"] == 0 for one in status_of(serve, "billing")["nodes"]), serve)
    asked = order(
        "break-glass", {"cluster_id": "billing", "requested_by": "ana", "reason": "fire"}, 202)
    order(f"approvals/{asked['approval_id']}/approve", ben, 202)
    eventually("the glass is broken", lambda: status_of(serve, "billing")["reviews"], serve)
    ask("GET", "status", None, 200)
    review = status_of(serve, "billing")["reviews"][0]["review_id"]
    order(f"reviews/{review}/close", ben, 200)
    eventually(
        "billing has moved and is well",
        lambda: status_of(serve, "billing").get("state") == "HEALTHY"
        and "run" not in status_of(serve, "billing"), serve)


def conform(serve, *more, examples, environment=None):
    """Runs schemathesis; True where it found nothing."""
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"),
        "--config-file", str(HERE / "schemathesis.toml"), "run", serve.url + API + "openapi.json",
        "--seed", SEED, "--max-examples", str(examples), "--workers", "1", "--no-color",
        "--phases", "examples,coverage,fuzzing", "--no-shrink",
    ]
    result = subprocess.run(
        command + list(more), cwd=serve.folder, timeout=SECONDS_MAX, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
        env=os.environ | {
            "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "CONTINUITY_TOKEN": TOKEN,
            "CONTINUITY_SESSION_FILE": str(serve.folder / "session"),
            "CONTINUITY_SEEN_FILE": str(serve.folder / "seen"),
            "PYTHONDONTWRITEBYTECODE": "1",
        } | (environment or {}))
    return result.returncode, result.stdout


def check_document(program, serve):
    """The document is OpenAPI 3.1, and it is the one that the command prints."""
    with urllib.request.urlopen(serve.url + API + "openapi.json") as answer:
        served = answer.read()
    printed = subprocess.run([program, "openapi"], capture_output=True, check=True).stdout
    if printed != served + b"\n":
        fail("'continuity openapi' prints another document than is served")
    file = serve.folder / "openapi.json"
    file.write_bytes(served)
    subprocess.run(
        [sys.executable, "-m", "openapi_spec_validator", "--schema", "3.1", str(file)],
        check=True)
    document = Document(served)
    document.check("GET", API + "openapi.json", 200, json.loads(served))
    return document


def check(program, serve, agents):
    serve.start()
    agents.start()
    document = check_document(program, serve)
    seen = prepare(serve, document, agents)
    began = time.monotonic()
    # A check that cannot fail shows nothing: with a lie in the document it must.
    code, output = conform(
        serve, "--include-path", API + "whoami", examples=3,
        environment={"CONTINUITY_API_LIE": "1"})
    if code != 1 or "Response violates schema" not in output:
        fail(f"a wrong document was not noticed ({code}):\n{output}")
    code, output = conform(serve, examples=int(os.environ.get("EXAMPLES", "15")))
    print(output)
    print(f"test-api: schemathesis took {time.monotonic() - began:.0f} s")
    if code != 0:
        fail(f"the server and its document differ, see above\n{serve.log}")
    seen |= set((serve.folder / "seen").read_text(encoding="ascii").split())
    if unseen := document.unseen(seen):
        fail(f"nothing shows that their answers are true: {', '.join(unseen)}")
    if serve.process.poll() is not None or serve.ask("GET", "/health/ready")[0] != 200:
        fail(f"serve did not live through it\n{serve.log}")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="continuity-api-") as folder:
        serve = Serve(program, folder)
        agents = Agents(serve.agent_port, serve.url, TOKEN, serve.folder / "session")
        try:
            check(program, serve, agents)
        finally:
            agents.stop()
            exit_code = serve.stop()
        if exit_code != 0:
            fail(f"serve ended with {exit_code}\n{serve.log}")
        subprocess.run(
            [program, "audit", "verify", "--fold", "--journal",
             str(serve.folder / "journal.sqlite")], check=True)


main()
