"""The agents of two clusters, played: they report to a real `serve` and carry out its orders."""

import http.server
import json
import threading
import urllib.error
import urllib.request

CLUSTERS = ["orders", "billing"]
NODES = ["node-1", "node-2", "node-3"]


class Agents:
    def __init__(self, port, server, token, session_file):
        self.server, self.token, self.session_file = server, token, session_file
        self.session = "none"
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.services = {
            (cluster, node): self.service("primary" if node == "node-1" else "secondary")
            for cluster in CLUSTERS
            for node in NODES
        }
        self.listener = http.server.ThreadingHTTPServer(("0.0.0.0", port), self.handler())
        self.threads = [
            threading.Thread(target=self.listener.serve_forever, daemon=True),
            threading.Thread(target=self.report, daemon=True),
        ]

    @staticmethod
    def service(role):
        return {
            "state": "running", "role": role, "position_bytes": 1, "lag_ms": 0,
            "streaming": role == "secondary", "detail": "",
        }

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        # It waits for ever where nobody was served yet.
        if self.threads[0].is_alive():
            self.listener.shutdown()
        self.threads[1].join()

    # What `serve` hears.

    def report(self):
        sequence = 0
        while not self.over.wait(0.3):
            sequence += 1
            for (cluster, node), service in self.services.items():
                try:
                    self.send(cluster, node, sequence, service)
                except OSError:
                    pass  # The server may be away: the next report comes soon.

    def send(self, cluster, node, sequence, service):
        with self.lock:
            body = json.dumps({
                "cluster_id": cluster, "node_id": node, "boot_id": "played", "sequence": sequence,
                "highest_epoch": 0, "service": service, "peers": {},
            })
        request = urllib.request.Request(
            self.server + "/api/v1/continuity/agent/report", body.encode(),
            {
                "Authorization": "Bearer " + self.token, "Content-Type": "application/json",
                "Continuity-Session": self.session,
            })
        try:
            answer = urllib.request.urlopen(request, timeout=5)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            session = answer.headers.get("Continuity-Session")
        if session and session != self.session:
            self.session = session
            with open(self.session_file, "w", encoding="ascii") as file:
                file.write(session)

    # What `serve` orders.

    def handler(self):
        agents = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                body = json.dumps(agents.carry_out(json.loads(self.rfile.read(length)))).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        return Handler

    def carry_out(self, command):
        name, node = command["name"], command["node_id"]
        with self.lock:
            service = self.services[command["cluster_id"], node]
            if name in ("fence", "demote"):
                service.update(state="stopped", streaming=False)
            elif name == "promote":
                service.update(role="primary", streaming=False)
            elif name in ("follow", "rejoin"):
                service.update(state="running", role="secondary", streaming=True)
            elif name == "restart":
                service.update(state="running")
            result = {
                "key": command["key"], "outcome": "succeeded", "detail": "", "duration_ms": 1,
                "service": dict(service),
            }
        if name in ("fence", "demote"):
            result["receipt"] = {
                "node_id": node, "boot_id": "played", "epoch": command["epoch"],
                "method": "command", "processes_killed": 0,
            }
        return result
